//! An IPv6 socket that dials an IPv4 address in its mapped form.

use std::net::SocketAddr;

use agent_common::maps::Reason;
use socket2::{Domain, Protocol, Socket, Type};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "ipv6-mapped",
    what: "IPv4-mapped addresses on IPv6 sockets",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Port),
};

fn attempt(target: &Target) -> Vec<Step> {
    let to = SocketAddr::new(target.v4.to_ipv6_mapped().into(), 9999);
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP));
    vec![Step::of(to.to_string(), socket.and_then(|socket| socket.connect_timeout(&to.into(), talk::PATIENCE)))]
}
