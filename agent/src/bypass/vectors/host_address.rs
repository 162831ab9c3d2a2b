//! The host's own addresses, on ports that the session reads: the worker would dial them from the host.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "host-address",
    what: "HTTP and HTTPS to an address of the host",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Worker("upstream_refused"),
};

fn attempt(target: &Target) -> Vec<Step> {
    let (plain, secure) = (target.host_at(80), target.host_at(443));
    vec![
        Step::with(plain.to_string(), talk::http(target, plain, &target.name)),
        Step::with(secure.to_string(), talk::https(target, secure, &target.name, &target.name)),
    ]
}
