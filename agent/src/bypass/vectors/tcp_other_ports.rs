//! Connections to ports that the session does not allow.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "tcp-other-ports",
    what: "TCP to ports other than 80, 443 and 53 (ssh, smtp, git, 8080, 8443)",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Port),
};

fn attempt(target: &Target) -> Vec<Step> {
    let targets = [22, 25, 8080, 8443, 9418].into_iter().flat_map(|port| target.at(port));
    targets.map(|to| Step::with(format!("TCP to {to}"), talk::stream(target, to))).collect()
}
