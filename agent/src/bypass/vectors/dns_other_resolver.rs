//! Queries to a resolver of the program's own choice.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "dns-other-resolver",
    what: "DNS over UDP and TCP to another resolver",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Forwarder,
};

fn attempt(target: &Target) -> Vec<Step> {
    let name = format!("{}{}", target.token, target.name);
    let over_tcp = |to| talk::connect(to).and_then(|mut stream| talk::dns_over(&mut stream, &name, 1));
    let udp = target.at(53).map(|to| Step::with(format!("UDP to {to}"), talk::dns(to, &name, 1)));
    let tcp = target.at(53).map(|to| Step::with(format!("TCP to {to}"), over_tcp(to)));
    udp.into_iter().chain(tcp).collect()
}
