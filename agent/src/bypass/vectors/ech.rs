//! A server name that is encrypted (RFC 9849): what is read is the outer one, and what the server would decrypt never
//! gets to it, since the proxy speaks to it anew.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "ech",
    what: "a ClientHello with an encrypted_client_hello extension",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Intercepted,
};

fn attempt(target: &Target) -> Vec<Step> {
    let to = target.v4_at(443);
    let fetch = || talk::exchange(&mut talk::tls_with_ech(to, &target.name)?, &talk::request(target, &target.name));
    vec![Step::with(to.to_string(), fetch())]
}
