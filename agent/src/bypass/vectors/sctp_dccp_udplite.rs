//! Transports beside TCP and UDP, in raw packets: a kernel need not have them.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Level, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "sctp-dccp-udplite",
    what: "SCTP, DCCP and UDP-Lite",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| match level {
        Level::NetAdmin => Expect::Kernel(Reason::Protocol),
        Level::User | Level::Root | Level::Observe => Expect::Call { by: "seccomp", errors: &["EPERM"] },
    },
};

fn attempt(target: &Target) -> Vec<Step> {
    let protocols = [("SCTP", 132), ("DCCP", 33), ("UDP-Lite", 136)];
    let sent =
        protocols.map(|(what, protocol)| target.at(0).map(|to| Step::of(what, raw::send_ip(target, to, protocol))));
    sent.into_iter().flatten().collect()
}
