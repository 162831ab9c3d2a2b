//! HTTP/2 without TLS, by upgrade and at once: it is read all the same.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, http2, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "h2c-upgrade",
    what: "HTTP/2 in plain text, by Upgrade: h2c and with prior knowledge",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Intercepted,
};

fn attempt(target: &Target) -> Vec<Step> {
    let settings = "HTTP2-Settings: AAMAAABkAAQAAP__";
    let request = talk::request_to_upgrade(target, "h2c", settings);
    let path = format!("/{}", target.token);
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", &path), (":authority", &target.name)];
    vec![
        Step::with("upgrade", talk::connect(target.v4_at(80)).and_then(|mut to| talk::exchange(&mut to, &request))),
        Step::with(
            "prior knowledge",
            talk::connect(target.v4_at(80)).and_then(|mut to| http2::exchange(&mut to, &fields)),
        ),
    ]
}
