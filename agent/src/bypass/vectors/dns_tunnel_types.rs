//! Data in record types that carry bytes at will.

use std::net::SocketAddr;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "dns-tunnel-types",
    what: "DNS tunnel: TXT, NULL, KEY, ANY and private record types",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Worker("dns_refused"),
};

fn attempt(target: &Target) -> Vec<Step> {
    // A domain for each: refusals of one domain are reported as one.
    let name = |number| format!("{}t{number}.test", target.token);
    let to = SocketAddr::new(target.gateway.0.into(), 53);
    let types = [("TXT", 16), ("NULL", 10), ("KEY", 25), ("ANY", 255), ("a private one", 65_400)];
    types.map(|(what, number)| Step::with(what, talk::dns(to, &name(number), number))).into()
}
