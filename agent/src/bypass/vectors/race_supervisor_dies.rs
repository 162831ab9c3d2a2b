//! A command that tries when nobody is left to stop it, and does not end when it is asked to.

use crate::bypass::{ENFORCED, Expect, How, Moment, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "race-supervisor-dies",
    what: "attempts while the supervisor is killed, and after",
    levels: ENFORCED,
    how: How::At(Moment::SupervisorDies),
    expect: |_| Expect::Harmless("topology"),
};
