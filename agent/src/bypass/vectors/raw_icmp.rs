//! Raw ICMP, as root's ping sends it.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame};

pub(super) const VECTOR: Vector = Vector {
    id: "raw-icmp",
    what: "raw ICMP sockets",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_raw_sockets(level, Reason::Protocol),
};

fn attempt(target: &Target) -> Vec<Step> {
    frame::send_protocols(target, [("ICMP", 1)])
}
