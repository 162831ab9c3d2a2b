//! Echo requests with data, by the sockets that every user has (ping_group_range).

use std::io;
use std::net::SocketAddr;

use agent_common::maps::Reason;
use socket2::{Domain, Protocol, Socket, Type};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "ping",
    what: "ICMP and ICMPv6 echo with data (ptunnel)",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Protocol),
};

fn attempt(target: &Target) -> Vec<Step> {
    let [v4, v6] = target.at(0);
    vec![
        Step::of("ICMP", echo(Domain::IPV4, Protocol::ICMPV4, 8, v4, target)),
        Step::of("ICMPv6", echo(Domain::IPV6, Protocol::ICMPV6, 128, v6, target)),
    ]
}

fn echo(domain: Domain, protocol: Protocol, kind: u8, to: SocketAddr, target: &Target) -> io::Result<usize> {
    let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
    socket.send_to(&[&[kind, 0, 0, 0, 0, 0, 0, 1], target.token.as_bytes()].concat(), &to.into())
}
