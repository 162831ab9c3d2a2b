//! Datagrams to ports of all kinds, over both families.

use agent_common::maps::Reason;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "udp-any-port",
    what: "UDP to any port, over IPv4 and IPv6",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Kernel(Reason::Udp),
};

fn attempt(target: &Target) -> Vec<Step> {
    let ports = [1, 67, 123, 500, 3478, 5353, 9999, 51820, 65535];
    let targets = ports.into_iter().flat_map(|port| target.at(port));
    targets.map(|to| Step::with(format!("UDP to {to}"), talk::datagram(target, to))).collect()
}
