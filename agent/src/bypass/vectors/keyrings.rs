//! Keyrings, which belong to a user and not to a namespace: of the user outside as well.

use nix::libc;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "keyrings",
    what: "add_key(2), request_key(2), keyctl(2): keys of the user's other programs",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp", errors: &["EPERM"] },
};

/// `KEYCTL_GET_KEYRING_ID` of `KEY_SPEC_USER_KEYRING` (linux/keyctl.h).
const USER_KEYRING: [u32; 4] = [0, (-4_i32).cast_unsigned(), 0, 0];

fn attempt(_target: &Target) -> Vec<Step> {
    vec![
        Step::of("keyctl", raw::call(libc::SYS_keyctl, USER_KEYRING)),
        // Names that no kernel takes: one that has the call says EFAULT.
        Step::of("add_key", raw::call(libc::SYS_add_key, [0; 4])),
        Step::of("request_key", raw::call(libc::SYS_request_key, [0; 4])),
    ]
}
