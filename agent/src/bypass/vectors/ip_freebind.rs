//! Binding to an address that nobody has, which takes no privilege.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "ip-freebind",
    what: "IP_FREEBIND with a foreign source address",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Call { by: "routes", errors: &["EINVAL", "ENETUNREACH"] },
};

fn attempt(target: &Target) -> Vec<Step> {
    let send = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_freebind_v4(true)?;
        socket.bind(&SocketAddr::from(([203, 0, 113, 78], 4000)).into())?;
        socket.send_to(target.token.as_bytes(), &target.v4_at(53).into())
    };
    vec![Step::of("a datagram to port 53", send())]
}
