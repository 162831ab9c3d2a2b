//! A process that the command leaves behind, in a group of its own, ignoring SIGTERM.

use crate::bypass::{ENFORCED, Expect, How, Moment, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "daemon-outlives",
    what: "a daemon that the command leaves behind",
    levels: ENFORCED,
    how: How::At(Moment::Outlives),
    expect: |_| Expect::Harmless("topology"),
};
