//! The services by which a cloud tells a machine its secrets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "metadata-address",
    what: "169.254.169.254 (mapped to IPv6 as well), 100.100.100.200, fd00:ec2::254",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Network),
};

fn attempt(target: &Target) -> Vec<Step> {
    let usual = Ipv4Addr::new(169, 254, 169, 254);
    let addresses: [IpAddr; 5] = [
        usual.into(),
        usual.to_ipv6_mapped().into(),
        Ipv4Addr::new(169, 254, 170, 2).into(),
        Ipv4Addr::new(100, 100, 100, 200).into(),
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254).into(),
    ];
    let targets = addresses.into_iter().map(|address| SocketAddr::new(address, 80));
    targets.map(|to| Step::with(to.to_string(), talk::http(target, to, "metadata"))).collect()
}
