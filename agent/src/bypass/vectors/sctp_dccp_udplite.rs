//! Transports beside TCP and UDP, in raw packets: a kernel need not have them.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame};

pub(super) const VECTOR: Vector = Vector {
    id: "sctp-dccp-udplite",
    what: "SCTP, DCCP and UDP-Lite",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_raw_sockets(level, Reason::Protocol),
};

fn attempt(target: &Target) -> Vec<Step> {
    frame::send_protocols(target, [("SCTP", 132), ("DCCP", 33), ("UDP-Lite", 136)])
}
