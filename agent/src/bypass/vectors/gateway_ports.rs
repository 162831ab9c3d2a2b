//! The gateway's own ports: what listens there is for connections that the kernel steers, not for those that name it.

use std::net::{IpAddr, SocketAddr};

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "gateway-ports",
    what: "TCP to the gateway's own addresses, ports 1 to 1024 but 53, and higher ones",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Gateway),
};

fn attempt(target: &Target) -> Vec<Step> {
    let addresses = [IpAddr::from(target.gateway.0), target.gateway.1.into()];
    let ports = (1..=1024).filter(|port| *port != 53).chain([2049, 8080, 9999, 32768, 65535]);
    let targets = ports.flat_map(|port| addresses.map(|address| SocketAddr::new(address, port)));
    targets.map(|to| Step::of(to.to_string(), talk::connect(to))).collect()
}
