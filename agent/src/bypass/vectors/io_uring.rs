//! io_uring makes sockets and connects them without any of the calls that a filter sees.

use nix::libc;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "io-uring",
    what: "io_uring_setup(2), io_uring_enter(2), io_uring_register(2)",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp", errors: &["ENOSYS"] },
};

fn attempt(_target: &Target) -> Vec<Step> {
    let calls = [
        ("setup", libc::SYS_io_uring_setup),
        ("enter", libc::SYS_io_uring_enter),
        ("register", libc::SYS_io_uring_register),
    ];
    calls.map(|(what, number)| Step::of(what, raw::call(number, [1, 0, 0, 0]))).into()
}
