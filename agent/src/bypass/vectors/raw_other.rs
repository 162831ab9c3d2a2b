//! Protocols that nobody has, and those for experiments.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Level, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "raw-other",
    what: "raw IP with unassigned and experimental protocol numbers",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| match level {
        Level::NetAdmin => Expect::Kernel(Reason::Protocol),
        Level::User | Level::Root | Level::Observe => Expect::Call { by: "seccomp", errors: &["EPERM"] },
    },
};

fn attempt(target: &Target) -> Vec<Step> {
    let protocols = [("experiment", 253), ("unassigned", 200), ("IGMP", 2), ("OSPF", 89)];
    let sent =
        protocols.map(|(what, protocol)| target.at(0).map(|to| Step::of(what, raw::send_ip(target, to, protocol))));
    sent.into_iter().flatten().collect()
}
