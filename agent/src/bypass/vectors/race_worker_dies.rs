//! A command that tries while nobody reads its traffic.

use crate::bypass::{ENFORCED, Expect, How, Moment, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "race-worker-dies",
    what: "attempts while the worker is killed and replaced",
    levels: ENFORCED,
    how: How::At(Moment::WorkerDies),
    expect: |_| Expect::Harmless("topology"),
};
