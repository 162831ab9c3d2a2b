//! A route that prefers another way, and a datagram along it.

use std::net::{Ipv4Addr, UdpSocket};

use agent_common::maps::Reason;
use rtnetlink::RouteMessageBuilder;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, netlink};

pub(super) const VECTOR: Vector = Vector {
    id: "add-route",
    what: "replacing routes, with another neighbour",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_changes(level, Expect::Kernel(Reason::Udp)),
};

fn attempt(target: &Target) -> Vec<Step> {
    let route = |device| {
        RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(target.v4, 32).output_interface(device).build()
    };
    let added = netlink::request(target, async |links, device| {
        links.route().add(route(device)).execute().await?;
        // The device has no ARP: who takes the frames is for the sender to say.
        links.neighbours().add(device, target.v4.into()).link_layer_address(&[2, 0, 0, 0, 0, 9]).execute().await
    });
    let send = || {
        added?;
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.send_to(target.token.as_bytes(), target.v4_at(9999))
    };
    vec![Step::of("a datagram along it", send())]
}
