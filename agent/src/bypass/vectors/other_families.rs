//! Every other family of sockets there is.

use crate::bypass::{ENFORCED, Expect, How, Level, Step, Target, Vector, raw};

pub(super) const VECTOR: Vector = Vector {
    id: "other-families",
    what: "every socket family but UNIX, INET, INET6 and NETLINK",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "seccomp", errors: &["EAFNOSUPPORT"] },
};

/// AF_MAX of Linux 6.18, and some for later kernels.
const FAMILIES: std::ops::Range<i32> = 3..64;

fn attempt(target: &Target) -> Vec<Step> {
    let allowed = [nix::libc::AF_INET6, nix::libc::AF_NETLINK];
    let admin = [nix::libc::AF_PACKET];
    let others = FAMILIES.filter(|family| !allowed.contains(family));
    let others = others.filter(|family| target.level != Level::NetAdmin || !admin.contains(family));
    let kinds = [nix::libc::SOCK_STREAM, nix::libc::SOCK_DGRAM, nix::libc::SOCK_RAW, nix::libc::SOCK_SEQPACKET];
    let all = others.flat_map(|family| kinds.map(|kind| (family, kind)));
    all.map(|(family, kind)| Step::of(format!("family {family}, type {kind}"), raw::socket(family, kind, 0))).collect()
}
