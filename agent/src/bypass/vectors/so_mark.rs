//! Marks, which some firewalls take for a permission.

use agent_common::maps::Reason;
use socket2::{Domain, Socket, Type};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "so-mark",
    what: "SO_MARK",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_changes(level, Expect::Kernel(Reason::Udp)),
};

fn attempt(target: &Target) -> Vec<Step> {
    let send = |mark| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_mark(mark)?;
        socket.send_to(target.token.as_bytes(), &target.v4_at(9999).into())
    };
    [1, 0x2000, 0xca6c, u32::MAX].map(|mark| Step::of(format!("mark {mark:#x}"), send(mark))).into()
}
