//! The x32 set of calls: the same instruction set, other numbers.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "x32",
    what: "system calls by the numbers of the x32 set",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp", errors: &["SIGSYS"] },
};

fn attempt(_target: &Target) -> Vec<Step> {
    vec![raw::foreign_call("getpid by its x32 number", true)]
}
