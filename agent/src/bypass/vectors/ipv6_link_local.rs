//! Addresses that need no route: link-local ones on the session's device.

use std::net::{Ipv6Addr, SocketAddrV6, TcpStream};
use std::time::Duration;

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector};

pub(super) const VECTOR: Vector = Vector {
    id: "ipv6-link-local",
    what: "TCP to IPv6 link-local addresses on the session's device",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Network),
};

/// How long a connection may take: nothing answers there, not even with a reset.
const PATIENCE: Duration = Duration::from_millis(200);

fn attempt(target: &Target) -> Vec<Step> {
    let device = nix::net::if_::if_nametoindex(target.device.as_str()).unwrap_or(0);
    let addresses = ["fe80::1", "fe80::a9:e7ff:fe00:1"].map(|ip| ip.parse().unwrap_or(Ipv6Addr::UNSPECIFIED));
    let targets = addresses.map(|ip| SocketAddrV6::new(ip, 80, 0, device));
    targets.map(|to| Step::of(to.to_string(), TcpStream::connect_timeout(&to.into(), PATIENCE))).into()
}
