//! Multipath TCP, whose further paths might be other ones.

use socket2::{Domain, Protocol, Socket, Type};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "mptcp",
    what: "MPTCP sockets",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Intercepted,
};

fn attempt(target: &Target) -> Vec<Step> {
    let Ok(socket) = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)) else {
        return vec![Step::absent("HTTP over MPTCP", "the kernel has no MPTCP")];
    };
    let request = talk::request(target, &target.name);
    let exchange = || {
        socket.connect_timeout(&target.v4_at(80).into(), talk::PATIENCE)?;
        socket.set_read_timeout(Some(talk::PATIENCE))?;
        talk::exchange(&mut &socket, &request)
    };
    vec![Step::with("HTTP over MPTCP", exchange())]
}
