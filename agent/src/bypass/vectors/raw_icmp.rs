//! Raw ICMP, as root's ping sends it.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Level, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "raw-icmp",
    what: "raw ICMP sockets",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| match level {
        Level::NetAdmin => Expect::Kernel(Reason::Protocol),
        Level::User | Level::Root | Level::Observe => Expect::Call { by: "seccomp", errors: &["EPERM"] },
    },
};

fn attempt(target: &Target) -> Vec<Step> {
    let protocols = [("ICMP", 1)];
    let sent =
        protocols.map(|(what, protocol)| target.at(0).map(|to| Step::of(what, raw::send_ip(target, to, protocol))));
    sent.into_iter().flatten().collect()
}
