//! The host's own addresses, on other ports.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "host-address-ports",
    what: "TCP to an address of the host, other ports (ssh, Docker)",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Port),
};

fn attempt(target: &Target) -> Vec<Step> {
    let targets = [22, 2375, 8080].map(|port| target.host_at(port));
    targets.map(|to| Step::with(to.to_string(), talk::stream(target, to))).into()
}
