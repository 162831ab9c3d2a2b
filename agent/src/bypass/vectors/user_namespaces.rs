//! A user namespace of one's own, and with it every capability over it and over network namespaces made there.

use nix::libc;
use nix::sched::{CloneFlags, unshare};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "user-namespaces",
    what: "a user namespace by unshare(2), clone(2) or clone3(2)",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp", errors: &["EPERM", "ENOSYS"] },
};

fn attempt(_target: &Target) -> Vec<Step> {
    let flag = CloneFlags::CLONE_NEWUSER;
    vec![
        Step::of("unshare", unshare(flag).map_err(Into::into)),
        Step::of("unshare, with a network namespace", unshare(flag | CloneFlags::CLONE_NEWNET).map_err(Into::into)),
        Step::of("clone", raw::clone_process(flag)),
        // Arguments that no kernel takes: one that has the call says EFAULT.
        Step::of("clone3", raw::call(libc::SYS_clone3, [0, 64, 0, 0])),
    ]
}
