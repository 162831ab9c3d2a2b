//! A protocol that nobody knows, after an upgrade that the server agrees to.

use std::io::{self, Read, Write};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "other-upgrade",
    what: "bytes after an upgrade to an unknown protocol that the server agrees to",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Worker("message_refused"),
};

fn attempt(target: &Target) -> Vec<Step> {
    let secure = || tunnel(target, talk::tls(target.v4_at(443), &target.name, &[])?);
    vec![
        Step::with("plain", talk::connect(target.v4_at(80)).and_then(|to| tunnel(target, to))),
        Step::with("inside TLS", secure()),
    ]
}

/// The request may pass; the token is in what follows it.
fn tunnel(target: &Target, mut stream: impl Read + Write) -> io::Result<String> {
    let bare = Target { token: String::new(), ..target.clone() };
    let answer = talk::exchange(&mut stream, &talk::request_to_upgrade(&bare, "foo", "X-Upgrade: 1"))?;
    talk::exchange(&mut stream, &format!("\u{1}{}\n", target.token)).map(|then| format!("{answer}, then {then}"))
}
