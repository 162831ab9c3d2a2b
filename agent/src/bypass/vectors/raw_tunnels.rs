//! IP in something, something in IP.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Level, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "raw-tunnels",
    what: "GRE, IPIP, 6in4, ESP and L2TP packets",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |level| match level {
        Level::NetAdmin => Expect::Kernel(Reason::Protocol),
        Level::User | Level::Root | Level::Observe => Expect::Call { by: "seccomp", errors: &["EPERM"] },
    },
};

fn attempt(target: &Target) -> Vec<Step> {
    let protocols = [("GRE", 47), ("IPIP", 4), ("6in4", 41), ("ESP", 50), ("L2TP", 115)];
    let sent =
        protocols.map(|(what, protocol)| target.at(0).map(|to| Step::of(what, raw::send_ip(target, to, protocol))));
    sent.into_iter().flatten().collect()
}
