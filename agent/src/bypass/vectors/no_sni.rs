//! TLS that does not say whom it is for.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "no-sni",
    what: "TLS without a server name",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Intercepted,
};

fn attempt(target: &Target) -> Vec<Step> {
    let to = target.v4_at(443);
    vec![Step::with(to.to_string(), talk::https(target, to, &target.v4.to_string(), &target.name))]
}
