//! Signalling processes outside. Signal 0 only asks whether one could.

use nix::libc;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "kill-outsider",
    what: "kill(2) and pidfd_send_signal(2) of process 1, a host process, the supervisor and the worker",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "Landlock", errors: &["EPERM"] },
};

fn attempt(target: &Target) -> Vec<Step> {
    let by_descriptor = |pid: i32| {
        let process = raw::pidfd(pid)?;
        raw::call(libc::SYS_pidfd_send_signal, [raw::number(&process), 0, 0, 0])
    };
    let steps = |pid: i32| {
        let killed = kill(Pid::from_raw(pid), None).map_err(Into::into);
        [Step::of(format!("kill {pid}"), killed), Step::of(format!("by a descriptor of {pid}"), by_descriptor(pid))]
    };
    [1].into_iter().chain(target.others()).flat_map(steps).collect()
}
