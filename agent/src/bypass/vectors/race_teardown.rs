//! A command that does not end when the session does.

use crate::bypass::{ENFORCED, Expect, How, Moment, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "race-teardown",
    what: "attempts while the session is taken down",
    levels: ENFORCED,
    how: How::At(Moment::Teardown),
    expect: |_| Expect::Harmless("topology"),
};
