//! The session's own device taken down and up again: what is lost is the session's own network.

use std::net::{Ipv4Addr, UdpSocket};

use rtnetlink::LinkUnspec;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, netlink};

pub(super) const VECTOR: Vector = Vector {
    id: "eth0-down",
    what: "taking eth0 down",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_changes(level, Expect::Call { by: "routes", errors: &["ENETUNREACH"] }),
};

fn attempt(target: &Target) -> Vec<Step> {
    let down = netlink::request(target, async |links, device| {
        links.link().set(LinkUnspec::new_with_index(device).down().build()).execute().await
    });
    let send = || {
        down?;
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.send_to(target.token.as_bytes(), target.v4_at(9999))
    };
    vec![Step::of("a datagram after that", send())]
}
