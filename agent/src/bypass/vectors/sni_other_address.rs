//! The name of one server, the address of another: an attacker's, say.

use std::net::{Ipv4Addr, SocketAddr};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "sni-other-address",
    what: "the name of one server at the address of another",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Worker("exchange_refused"),
};

fn attempt(target: &Target) -> Vec<Step> {
    let to = |port| SocketAddr::new(Ipv4Addr::new(198, 51, 100, 77).into(), port);
    vec![
        Step::with(to(80).to_string(), talk::http(target, to(80), &target.name)),
        Step::with(to(443).to_string(), talk::https(target, to(443), &target.name, &target.name)),
    ]
}
