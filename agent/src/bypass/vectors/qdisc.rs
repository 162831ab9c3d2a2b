//! Classic traffic control at eth0: the programs that judge are at the other end of the wire.

use std::net::{Ipv4Addr, UdpSocket};

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, netlink};

pub(super) const VECTOR: Vector = Vector {
    id: "qdisc",
    what: "qdiscs and filters on eth0 changed from inside",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_changes(level, Expect::Kernel(Reason::Udp)),
};

fn attempt(target: &Target) -> Vec<Step> {
    let changed = netlink::request(target, async |links, device| {
        links.qdisc().add(i32::try_from(device).unwrap_or(0)).ingress().execute().await
    });
    let send = || {
        changed?;
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.send_to(target.token.as_bytes(), target.v4_at(9999))
    };
    vec![Step::of("a datagram after that", send())]
}
