//! A WebSocket, which may carry anything. It is allowed; the exchange that opens it is recorded.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "websocket-tunnel",
    what: "an upgrade to WebSocket, plain and inside TLS",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Intercepted,
};

fn attempt(target: &Target) -> Vec<Step> {
    let key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13";
    let request = talk::request_to_upgrade(target, "websocket", key);
    let secure = || talk::exchange(&mut talk::tls(target.v4_at(443), &target.name, &[])?, &request);
    vec![
        Step::with("plain", talk::connect(target.v4_at(80)).and_then(|mut to| talk::exchange(&mut to, &request))),
        Step::with("inside TLS", secure()),
    ]
}
