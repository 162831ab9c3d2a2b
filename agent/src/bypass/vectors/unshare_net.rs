//! Namespaces of one's own, without a user namespace: a new network namespace would be outside of the session's.

use nix::sched::{CloneFlags, unshare};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "unshare-net",
    what: "unshare(2) of the network, mount, process, IPC and host name namespaces",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "capabilities", errors: &["EPERM"] },
};

fn attempt(_target: &Target) -> Vec<Step> {
    let namespaces = [
        ("network", CloneFlags::CLONE_NEWNET),
        ("mount", CloneFlags::CLONE_NEWNS),
        ("process", CloneFlags::CLONE_NEWPID),
        ("IPC", CloneFlags::CLONE_NEWIPC),
        ("host name", CloneFlags::CLONE_NEWUTS),
        ("control group", CloneFlags::CLONE_NEWCGROUP),
    ];
    namespaces.map(|(what, flag)| Step::of(what, unshare(flag).map_err(Into::into))).into()
}
