//! Another address on the session's device, and a datagram from it.

use std::net::{Ipv4Addr, UdpSocket};

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, netlink};

pub(super) const VECTOR: Vector = Vector {
    id: "add-address",
    what: "adding an address to eth0 and sending from it",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_changes(level, Expect::Kernel(Reason::Spoofed)),
};

fn attempt(target: &Target) -> Vec<Step> {
    let own = Ipv4Addr::new(203, 0, 113, 79);
    let added =
        netlink::request(target, async |links, device| links.address().add(device, own.into(), 32).execute().await);
    let send = || {
        added?;
        let socket = UdpSocket::bind((own, 0))?;
        socket.send_to(target.token.as_bytes(), target.v4_at(53))
    };
    vec![Step::of("a datagram from it", send())]
}
