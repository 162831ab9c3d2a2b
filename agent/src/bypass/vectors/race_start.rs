//! A command that tries before the session might be closed.

use crate::bypass::{ENFORCED, Expect, How, Moment, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "race-start",
    what: "attempts from the command's first instruction on",
    levels: ENFORCED,
    how: How::At(Moment::Start),
    expect: |_| Expect::Harmless("topology"),
};
