//! HTTP/3: a QUIC Initial packet to port 443.

use std::io;
use std::net::SocketAddr;

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "quic",
    what: "QUIC and HTTP/3 on UDP 443",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Udp),
};

fn attempt(target: &Target) -> Vec<Step> {
    target.at(443).map(|to| Step::with(format!("QUIC to {to}"), initial(target, to))).into()
}

/// A long header with version 1 (RFC 9000 section 17.2.2), padded to what servers require, its content the token.
fn initial(target: &Target, to: SocketAddr) -> io::Result<String> {
    let mut packet = vec![0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0xb0];
    packet.extend(target.token.as_bytes());
    packet.resize(1200, 0);
    talk::datagram_of(&packet, to)
}
