//! IPv6 where only IPv4 might be watched: HTTP, another port, a datagram.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "ipv6-global",
    what: "IPv6 to a global address: HTTP is intercepted like IPv4",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Intercepted,
};

fn attempt(target: &Target) -> Vec<Step> {
    let [_, http] = target.at(80);
    let [_, https] = target.at(443);
    vec![
        Step::with("HTTP", talk::http(target, http, &target.name)),
        Step::with("HTTPS", talk::https(target, https, &target.name, &target.name)),
    ]
}
