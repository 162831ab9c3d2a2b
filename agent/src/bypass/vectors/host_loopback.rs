//! Services that listen on the host's loopback. A session has a loopback of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "host-loopback",
    what: "HTTP to 127.0.0.1, 0.0.0.0, [::1] and [::ffff:127.0.0.1], ports at which the host listens",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "network namespace", errors: &["ECONNREFUSED"] },
};

fn attempt(target: &Target) -> Vec<Step> {
    let addresses: [IpAddr; 6] = [
        Ipv4Addr::LOCALHOST.into(),
        Ipv4Addr::new(127, 255, 0, 9).into(),
        Ipv4Addr::UNSPECIFIED.into(),
        Ipv6Addr::LOCALHOST.into(),
        Ipv6Addr::UNSPECIFIED.into(),
        Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
    ];
    let ports = [22, 80, 443, 2375, 8080];
    let targets = addresses.into_iter().flat_map(|address| ports.map(|port| SocketAddr::new(address, port)));
    targets.map(|to| Step::with(to.to_string(), talk::http(target, to, "localhost"))).collect()
}
