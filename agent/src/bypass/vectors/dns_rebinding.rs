//! Names that lead to the host: whoever answers for a name chooses its address.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "dns-rebinding",
    what: "names of the host's address, of 127.0.0.1 and of 0.0.0.0, resolved and dialled",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| {
        Expect::Any(&[
            Expect::Worker("upstream_refused"),
            Expect::Call { by: "network namespace", errors: &["ECONNREFUSED"] },
        ])
    },
};

fn attempt(target: &Target) -> Vec<Step> {
    let addresses = [target.host, [127, 0, 0, 1].into(), [0, 0, 0, 0].into()];
    let step = |address: std::net::Ipv4Addr| {
        let name = format!("a-{}.{}", address.to_string().replace('.', "-"), target.name);
        let dialled = talk::resolve(target, &name).and_then(|ip| talk::http(target, (ip, 80).into(), &name));
        Step::with(format!("{name}, {address}:80"), dialled)
    };
    addresses.map(step).into()
}
