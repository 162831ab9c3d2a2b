//! A frame larger than the device takes.

use crate::bypass::{ENFORCED, Expect, How, Level, Step, Target, Vector, frame};

pub(super) const VECTOR: Vector = Vector {
    id: "packet-jumbo",
    what: "jumbo frames",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| match level {
        Level::NetAdmin => Expect::Call { by: "MTU", errors: &["EMSGSIZE"] },
        Level::User | Level::Root | Level::Observe => Expect::Call { by: "seccomp", errors: &["EAFNOSUPPORT"] },
    },
};

fn attempt(target: &Target) -> Vec<Step> {
    let mut token = target.token.clone().into_bytes();
    token.resize(8900, b'x');
    let packet = frame::V4::to(target, 17).packet(&frame::udp(9999, &token));
    frame::send(target, [("9,000 bytes", frame::ethernet(target, frame::IPV4, &packet))])
}
