//! Domain fronting over HTTP/2.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, http2};

pub(super) const VECTOR: Vector = Vector {
    id: "h2-authority-mismatch",
    what: "a server name in TLS, another in :authority of HTTP/2, and a third in Host",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Any(&[Expect::Worker("exchange_refused"), Expect::Worker("message_refused")]),
};

fn attempt(target: &Target) -> Vec<Step> {
    let path = format!("/{}", target.token);
    let fields = [(":method", "GET"), (":scheme", "https"), (":path", &path), (":authority", "other.canary.test")];
    let both = [&fields[..], &[("host", "third.canary.test")]].concat();
    vec![
        Step::with(":authority", http2::https(target, &fields)),
        Step::with(":authority and Host", http2::https(target, &both)),
    ]
}
