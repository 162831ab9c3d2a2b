//! Entering the network namespace of a process outside.

use std::fs::File;
use std::io;

use nix::sched::{CloneFlags, setns};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "setns-host",
    what: "setns(2), nsenter(1): the namespace of a host process by /proc/PID/ns/net",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "Landlock, seccomp", errors: &["EACCES", "EPERM"] },
};

fn attempt(target: &Target) -> Vec<Step> {
    let enter = |path: String| -> io::Result<()> { Ok(setns(File::open(path)?, CloneFlags::CLONE_NEWNET)?) };
    let outside = format!("/proc/{}/ns/net", target.outsider);
    vec![
        Step::of("the host's namespace", enter(outside)),
        Step::of("the namespace of process 1", enter("/proc/1/ns/net".into())),
        Step::of("the own namespace again", enter("/proc/self/ns/net".into())),
    ]
}
