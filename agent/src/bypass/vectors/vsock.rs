//! Sockets to the hypervisor, which no network namespace confines. The socket alone is asked for: nothing is sent.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "vsock",
    what: "AF_VSOCK sockets to the hypervisor",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp", errors: &["EAFNOSUPPORT"] },
};

fn attempt(_target: &Target) -> Vec<Step> {
    let kinds = [nix::libc::SOCK_STREAM, nix::libc::SOCK_DGRAM, nix::libc::SOCK_SEQPACKET];
    kinds.map(|kind| Step::of(format!("type {kind}"), raw::socket(nix::libc::AF_VSOCK, kind, 0))).into()
}
