//! IPv6 addresses that embed an IPv4 one, which a translator on the way turns into it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "embedded-v4",
    what: "127.0.0.1, 169.254.169.254 and the host's address as NAT64, 6to4, translated and compatible addresses",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Worker("upstream_refused"),
};

fn attempt(target: &Target) -> Vec<Step> {
    let embedded = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(169, 254, 169, 254), target.host];
    let targets = embedded.into_iter().flat_map(forms).map(|address| SocketAddr::new(address.into(), 80));
    targets.map(|to| Step::with(to.to_string(), talk::http(target, to, &target.name))).collect()
}

/// RFC 6052, RFC 8215, RFC 3056, RFC 2765 section 2.1, RFC 4291 section 2.5.5.1.
fn forms(address: Ipv4Addr) -> [Ipv6Addr; 5] {
    let (high, low) = ((address.to_bits() >> 16) as u16, address.to_bits() as u16);
    [
        [0x64, 0xff9b, 0, 0, 0, 0, high, low],
        [0x64, 0xff9b, 1, 0, 0, 0, high, low],
        [0x2002, high, low, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0xffff, 0, high, low],
        [0, 0, 0, 0, 0, 0, high, low],
    ]
    .map(Ipv6Addr::from)
}
