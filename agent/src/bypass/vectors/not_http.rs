//! Other protocols on the ports of HTTP.

use std::io;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "not-http",
    what: "bytes of no known protocol on ports 80 and 443, plain and inside TLS; SSH",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Any(&[Expect::Worker("relay_refused"), Expect::Worker("message_refused")]),
};

fn attempt(target: &Target) -> Vec<Step> {
    let bytes = format!("\u{1}{}\n", target.token);
    let ssh = format!("SSH-2.0-{}\r\n", target.token);
    let plain = |port, say: &str| talk::exchange(&mut talk::connect(target.v4_at(port))?, say);
    let secure = |port, say: &str, alpn: &[&[u8]]| -> io::Result<String> {
        talk::exchange(&mut talk::tls(target.v4_at(port), &target.name, alpn)?, say)
    };
    vec![
        Step::with("port 80", plain(80, &bytes)),
        Step::with("port 443", plain(443, &bytes)),
        Step::with("SSH on port 443", plain(443, &ssh)),
        Step::with("inside TLS", secure(443, &bytes, &[])),
        Step::with("inside TLS on port 80", secure(80, &bytes, &[])),
        Step::with("inside TLS that says HTTP/1.1", secure(443, &bytes, &[b"http/1.1"])),
    ]
}
