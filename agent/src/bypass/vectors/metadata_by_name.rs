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
    // Not a port that others try at this address: a destination is reported once a second.
    let dial = talk::resolve(target, &name).and_then(|ip| talk::http(target, (ip, 443).into(), &name));
    vec![Step::with(name, dial)]
}
