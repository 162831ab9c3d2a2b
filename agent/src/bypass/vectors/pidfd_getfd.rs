//! Taking a descriptor from a process outside: a socket of the host's network, say.

use nix::libc;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "pidfd-getfd",
    what: "pidfd_getfd(2) from a host process, the supervisor and the worker",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp", errors: &["EPERM"] },
};

fn attempt(target: &Target) -> Vec<Step> {
    let take = |pid: i32| {
        let process = raw::pidfd(pid)?;
        raw::call(libc::SYS_pidfd_getfd, [raw::number(&process), 0, 0, 0]).and_then(raw::adopt)
    };
    target.others().map(|pid| Step::of(format!("process {pid}"), take(pid))).into()
}
