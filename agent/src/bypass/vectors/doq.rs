//! DNS over QUIC (RFC 9250).

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "doq",
    what: "DNS over QUIC on UDP 853",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Udp),
};

fn attempt(target: &Target) -> Vec<Step> {
    target.at(853).map(|to| Step::with(format!("UDP to {to}"), talk::datagram(target, to))).into()
}
