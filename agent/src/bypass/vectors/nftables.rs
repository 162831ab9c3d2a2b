//! Packet filters of the session's own namespace: rules that would let pass what the gateway refuses.

use std::net::{Ipv4Addr, UdpSocket};

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, netlink};

pub(super) const VECTOR: Vector = Vector {
    id: "nftables",
    what: "nftables changed from inside",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_changes(level, Expect::Kernel(Reason::Udp)),
};

fn attempt(target: &Target) -> Vec<Step> {
    let send = || {
        netlink::new_nftables_table("open")?;
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.send_to(target.token.as_bytes(), target.v4_at(9999))
    };
    vec![Step::of("a datagram after that", send())]
}
