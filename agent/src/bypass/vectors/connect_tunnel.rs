//! A tunnel through a proxy outside: what it carries would not be read.

use std::net::ToSocketAddrs as _;

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, http2, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "connect-tunnel",
    what: "CONNECT over HTTP/1.1, plain and inside TLS, and over HTTP/2, extended CONNECT included",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Any(&[Expect::Worker("exchange_refused"), Expect::Worker("message_refused")]),
};

fn attempt(target: &Target) -> Vec<Step> {
    // What DNS did not name is not even connected to.
    drop((target.name.as_str(), 443).to_socket_addrs());
    let authority = format!("{}:22", target.name);
    let request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nX-Token: {}\r\n\r\n", target.token);
    let plain = || talk::exchange(&mut talk::connect(target.v4_at(80))?, &request);
    let secure = || talk::exchange(&mut talk::tls(target.v4_at(443), &target.name, &[])?, &request);
    let fields = [(":method", "CONNECT"), (":authority", authority.as_str()), ("x-token", &target.token)];
    let path = format!("/{}", target.token);
    let extended = [&fields[..], &[(":protocol", "connect-udp"), (":scheme", "https"), (":path", &path)]].concat();
    vec![
        Step::with("HTTP/1.1", plain()),
        Step::with("HTTP/1.1 inside TLS", secure()),
        Step::with("HTTP/2", http2::https(target, &fields)),
        Step::with("HTTP/2, for another protocol", http2::https(target, &extended)),
    ]
}
