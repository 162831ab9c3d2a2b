//! The gate for 32-bit programs, where system calls have other numbers.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "int80",
    what: "system calls by the numbers of 32-bit programs (int 0x80)",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp", errors: &["SIGSYS"] },
};

fn attempt(_target: &Target) -> Vec<Step> {
    vec![raw::foreign_call("getpid by int 0x80", false)]
}
