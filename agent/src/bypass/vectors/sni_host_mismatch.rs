//! Domain fronting: a name for TLS, another for HTTP. Where there are rules, both must be the same.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "sni-host-mismatch",
    what: "a server name in TLS, another in Host (domain fronting)",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Worker("exchange_refused"),
};

fn attempt(target: &Target) -> Vec<Step> {
    let hosts = ["other.canary.test", "other.canary.test:443", "198.51.100.80"];
    let fetch = |host| talk::https(target, target.v4_at(443), &target.name, host);
    hosts.map(|host| Step::with(format!("Host: {host}"), fetch(host))).into()
}
