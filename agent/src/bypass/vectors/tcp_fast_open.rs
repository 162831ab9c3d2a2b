//! Data in the SYN, sent before anybody has judged the connection.

use std::net::SocketAddr;

use agent_common::maps::Reason;
use socket2::{Domain, Socket, Type};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "tcp-fast-open",
    what: "TCP Fast Open",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Port),
};

fn attempt(target: &Target) -> Vec<Step> {
    let send = |to: SocketAddr| {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.set_write_timeout(Some(talk::PATIENCE))?;
        socket.send_to_with_flags(target.token.as_bytes(), &to.into(), nix::libc::MSG_FASTOPEN)
    };
    target.at(9999).map(|to| Step::of(to.to_string(), send(to))).into()
}
