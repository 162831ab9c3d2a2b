//! Entering the network namespace of a process outside without a path: by a descriptor of the process.

use std::io;

use nix::libc;
use nix::sched::{CloneFlags, setns};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "setns-pidfd",
    what: "pidfd_open(2) of a host process, then setns(2) with it or with the namespace it gives",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp", errors: &["EPERM"] },
};

/// `PIDFD_GET_NET_NAMESPACE` (linux/pidfd.h, Linux 6.11): a descriptor of the process's network namespace.
const GET_NET_NAMESPACE: u32 = 0xff04;

fn attempt(target: &Target) -> Vec<Step> {
    let enter = |pid: i32| -> io::Result<()> { Ok(setns(raw::pidfd(pid)?, CloneFlags::CLONE_NEWNET)?) };
    let of_pidfd = |pid: i32| -> io::Result<()> {
        let process = raw::pidfd(pid)?;
        let namespace = raw::call(libc::SYS_ioctl, [raw::number(&process), GET_NET_NAMESPACE, 0, 0]);
        let namespace = namespace.and_then(raw::adopt).unwrap_or(process);
        Ok(setns(namespace, CloneFlags::CLONE_NEWNET)?)
    };
    vec![
        Step::of("a process of the host", enter(target.outsider)),
        Step::of("the namespace that its descriptor gives", of_pidfd(target.outsider)),
        Step::of("process 1", enter(1)),
        Step::of("the supervisor", enter(target.agents.1)),
    ]
}
