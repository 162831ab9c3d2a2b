//! IP in something, something in IP.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, frame};

pub(super) const VECTOR: Vector = Vector {
    id: "raw-tunnels",
    what: "GRE, IPIP, 6in4, ESP and L2TP packets",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| Expect::of_raw_sockets(level, Reason::Protocol),
};

fn attempt(target: &Target) -> Vec<Step> {
    frame::send_protocols(target, [("GRE", 47), ("IPIP", 4), ("6in4", 41), ("ESP", 50), ("L2TP", 115)])
}
