//! Sending from an address that is not one's own, as a transparent proxy may.

use std::net::SocketAddr;

use agent_common::maps::Reason;
use socket2::{Domain, Socket, Type};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "ip-transparent",
    what: "IP_TRANSPARENT with a foreign source address",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_changes(level, Expect::Kernel(Reason::Spoofed)),
};

fn attempt(target: &Target) -> Vec<Step> {
    let send = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_ip_transparent_v4(true)?;
        socket.bind(&SocketAddr::from(([203, 0, 113, 77], 4000)).into())?;
        socket.send_to(target.token.as_bytes(), &target.v4_at(53).into())
    };
    vec![Step::of("a datagram to port 53", send())]
}
