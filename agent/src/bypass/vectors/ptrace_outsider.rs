//! Tracing processes outside. Seizing stops nobody, should it succeed.

use nix::libc;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "ptrace-outsider",
    what: "ptrace(2) of a host process, the supervisor and the worker",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp", errors: &["EPERM"] },
};

fn attempt(target: &Target) -> Vec<Step> {
    let seize = |pid: i32| raw::call(libc::SYS_ptrace, [libc::PTRACE_SEIZE, pid.unsigned_abs(), 0, 0]);
    target.others().map(|pid| Step::of(format!("process {pid}"), seize(pid))).into()
}
