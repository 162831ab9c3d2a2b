//! Requests that two readers may take for a different number of requests.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "request-smuggling",
    what: "Content-Length with Transfer-Encoding, two lengths, folded fields, bare LF, and odd codings",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Worker("message_refused"),
};

/// What comes after the `Host` field, up to the body.
const HEADS: &[(&str, &str)] = &[
    ("both lengths", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("two lengths", "Content-Length: 4\r\nContent-Length: 5\r\n\r\n"),
    ("lengths in a list", "Content-Length: 4, 5\r\n\r\n"),
    ("a signed length", "Content-Length: +4\r\n\r\n"),
    ("a hexadecimal length", "Content-Length: 0x4\r\n\r\n"),
    ("a folded field", "X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n"),
    ("bare LF", "X-A: b\nTransfer-Encoding: chunked\r\n\r\n"),
    ("bare CR", "X-A: b\rTransfer-Encoding: chunked\r\n\r\n"),
    ("a space before the colon", "Transfer-Encoding : chunked\r\n\r\n"),
    ("an unknown coding", "Transfer-Encoding: xchunked\r\n\r\n"),
    ("chunked not last", "Transfer-Encoding: chunked, identity\r\n\r\n"),
    ("chunked twice", "Transfer-Encoding: chunked, chunked\r\n\r\n"),
    ("a NUL", "X-A: \0\r\n\r\n"),
];

fn attempt(target: &Target) -> Vec<Step> {
    let (name, token) = (&target.name, &target.token);
    let hidden = talk::request(target, "hidden.canary.test");
    let say = |(what, rest): &(&str, &str)| {
        let request = format!("POST /{token} HTTP/1.1\r\nHost: {name}\r\n{rest}0\r\n\r\n{hidden}");
        let said = talk::connect(target.v4_at(80)).and_then(|mut stream| talk::exchange(&mut stream, &request));
        Step::with(*what, said)
    };
    HEADS.iter().map(say).collect()
}
