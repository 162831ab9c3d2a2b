//! Data in the labels of names, through the resolver that is allowed.

use std::net::SocketAddr;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "dns-tunnel-labels",
    what: "DNS tunnel: data as long random labels",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Worker("dns_refused"),
};

fn attempt(target: &Target) -> Vec<Step> {
    // What base32 makes of random bytes.
    let label = "k5xw6mzuovzhi2lom43w64tfon2gkztqmfrggzdfnbuxg2lomq";
    let name = format!("{label}.{}{}", target.token, target.name);
    vec![Step::with("a query", talk::dns(SocketAddr::new(target.gateway.0.into(), 53), &name, 1))]
}
