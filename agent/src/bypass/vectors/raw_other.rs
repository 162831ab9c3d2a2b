//! Protocols that nobody has, and those for experiments.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame};

pub(super) const VECTOR: Vector = Vector {
    id: "raw-other",
    what: "raw IP with unassigned and experimental protocol numbers",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_raw_sockets(level, Reason::Protocol),
};

fn attempt(target: &Target) -> Vec<Step> {
    frame::send_protocols(target, [("experiment", 253), ("unassigned", 200), ("IGMP", 2), ("OSPF", 89)])
}
