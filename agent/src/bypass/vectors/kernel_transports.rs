//! The kernel's own sockets for other transports, where it has them.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, raw, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "kernel-transports",
    what: "sockets for SCTP, DCCP and UDP-Lite as the kernel offers them",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Harmless("client_in: protocol; or the kernel has none"),
};

fn attempt(target: &Target) -> Vec<Step> {
    let kinds = [("SCTP", 1, 132), ("SCTP", 5, 132), ("DCCP", 6, 33), ("UDP-Lite", 2, 136)];
    let reach = |kind, protocol| {
        let socket = raw::socket(nix::libc::AF_INET, kind, protocol)?;
        socket.connect_timeout(&target.v4_at(9999).into(), talk::PATIENCE)?;
        socket.send(target.token.as_bytes())
    };
    kinds.map(|(what, kind, protocol)| Step::of(what, reach(kind, protocol))).into()
}
