//! Datagrams to the gateway itself.

use std::net::{IpAddr, SocketAddr};

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "gateway-udp",
    what: "UDP to the gateway's own addresses, ports other than 53",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Udp),
};

fn attempt(target: &Target) -> Vec<Step> {
    let addresses = [IpAddr::from(target.gateway.0), target.gateway.1.into()];
    let ports = [1, 67, 123, 161, 443, 5353, 9999, 65535];
    let targets = ports.into_iter().flat_map(|port| addresses.map(|address| SocketAddr::new(address, port)));
    targets.map(|to| Step::with(format!("UDP to {to}"), talk::datagram(target, to))).collect()
}
