//! DNS over TLS (RFC 7858).

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "dot",
    what: "DNS over TLS on TCP 853",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Port),
};

fn attempt(target: &Target) -> Vec<Step> {
    target.at(853).map(|to| Step::of(format!("TLS to {to}"), talk::tls(to, &target.name, &[b"dot"]))).into()
}
