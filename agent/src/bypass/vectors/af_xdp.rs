//! AF_XDP sockets, which send past the stack.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "af-xdp",
    what: "AF_XDP sockets",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp", errors: &["EAFNOSUPPORT"] },
};

fn attempt(_target: &Target) -> Vec<Step> {
    vec![Step::of("a socket", raw::socket(nix::libc::AF_XDP, nix::libc::SOCK_RAW, 0))]
}
