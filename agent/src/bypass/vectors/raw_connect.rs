//! A program that ignores proxy variables and dials the server itself.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "raw-connect",
    what: "HTTP and HTTPS dialled directly, proxy variables ignored",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Intercepted,
};

fn attempt(target: &Target) -> Vec<Step> {
    let name = &target.name;
    vec![
        Step::with("HTTP", talk::http(target, target.v4_at(80), name)),
        Step::with("HTTPS", talk::https(target, target.v4_at(443), name, name)),
    ]
}
