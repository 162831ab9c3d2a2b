//! DNS over HTTPS (RFC 8484): to the proxy it is a request like any other.

use std::io::{self, Write as _};

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "doh",
    what: "DNS over HTTPS on TCP 443",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Intercepted,
};

fn attempt(target: &Target) -> Vec<Step> {
    vec![Step::with("a query in a request", query(target))]
}

fn query(target: &Target) -> io::Result<String> {
    let message = talk::query(&format!("{}{}", target.token, target.name), 1);
    let mut stream = talk::tls(target.v4_at(443), &target.name, &[])?;
    let head = format!(
        "POST /dns-query?{} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/dns-message\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        target.token,
        target.name,
        message.len()
    );
    stream.write_all(&message_after(head, &message))?;
    talk::exchange(&mut stream, "")
}

fn message_after(head: String, message: &[u8]) -> Vec<u8> {
    let mut bytes = head.into_bytes();
    bytes.extend(message);
    bytes
}
