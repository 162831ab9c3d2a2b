//! The same by a name: one that anybody may register.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "metadata-by-name",
    what: "a name of 169.254.169.254, resolved and dialled",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Network),
};

fn attempt(target: &Target) -> Vec<Step> {
    let name = format!("a-169-254-169-254.{}", target.name);
    let dial = |port| talk::resolve(&name, port).and_then(|to| talk::http(target, to, &name));
    [80, 443].map(|port| Step::with(format!("{name}:{port}"), dial(port))).into()
}
