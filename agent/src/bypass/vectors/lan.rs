//! The host's private networks. They are networks like any other: no rule can be written about them yet.

use std::net::{Ipv4Addr, SocketAddr};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "lan",
    what: "HTTP and HTTPS to private addresses: 10.0.0.1, 172.16.0.1, 192.168.1.1",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Intercepted,
};

fn attempt(target: &Target) -> Vec<Step> {
    let addresses = [[10, 0, 0, 1], [172, 16, 0, 1], [192, 168, 1, 1]].map(Ipv4Addr::from);
    let name = &target.name;
    let steps = |address: Ipv4Addr| {
        let [plain, secure] = [80, 443].map(|port| SocketAddr::new(address.into(), port));
        [
            Step::with(plain.to_string(), talk::http(target, plain, name)),
            Step::with(secure.to_string(), talk::https(target, secure, name, name)),
        ]
    };
    addresses.into_iter().flat_map(steps).collect()
}
