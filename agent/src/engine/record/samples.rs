//! Exchanges for tests.

use super::rows::{Connection, Content, Exchange, Half, Message, Outline, Tls};
use crate::engine::decode::stream::MessageKind;
use crate::engine::http::Field;
use crate::engine::http::exchange::Direction;

fn head(fields: &[(&'static str, &'static str)]) -> Vec<Field> {
    fields.iter().map(|(name, value)| Field::new(*name, *value)).collect()
}

/// An exchange over HTTP/2 with a body each way, which took 10 ms.
pub(crate) fn exchange() -> Exchange {
    let body = |bytes: &[u8]| Some(Content { bytes: bytes.to_vec(), ..Content::default() });
    let request = head(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "api.example"),
        (":path", "/v1?q=a%20b&q=2"),
        ("content-type", "application/json"),
        ("cookie", "a=1; b=x=y"),
    ]);
    let response = head(&[
        ("content-type", "application/octet-stream"),
        ("set-cookie", "s=t; Path=/; HttpOnly; Secure; SameSite=Lax; Expires=Wed, 21 Oct 2015 07:28:00 GMT"),
        ("location", "/next"),
    ]);
    Exchange {
        outline: outline(),
        request: Half { head: request, body: body(b"{\"a\":1}"), size: 7, trailers: vec![] },
        response: Some(Half { head: response, body: body(b"\x00\xff"), size: 2, trailers: vec![] }),
        informational: vec![],
        messages: vec![],
        connection: Some(Connection {
            id: 3,
            destination: "192.0.2.1:443".into(),
            connect_us: Some(1_000),
            child_tls: Some(Tls { suite: "TLSv1_3 A".into(), resumed: false, took_us: 500 }),
            server_tls: Some(Tls { suite: "TLSv1_3 B".into(), resumed: false, took_us: 500 }),
            verified: Some(true),
            ..Connection::default()
        }),
        is_first: true,
        dns_us: Some(2_000),
        certificate: None,
    }
}

fn outline() -> Outline {
    Outline {
        id: 7,
        connection: 3,
        started: 1_000_000,
        sent: Some(1_001_000),
        answered: Some(1_004_000),
        received: Some(1_006_000),
        finished: Some(1_006_000),
        version: "HTTP/2".into(),
        method: "POST".into(),
        scheme: "https".into(),
        authority: "api.example".into(),
        host: "api.example".into(),
        path: "/v1?q=a%20b&q=2".into(),
        status: Some(201),
        request_size: 7,
        response_size: 2,
        stream: None,
        verdict: "allow".into(),
        rule: None,
        error: None,
        process: Some("curl".into()),
        pid: Some(11),
    }
}

/// A text of a WebSocket.
pub(crate) fn message(payload: &[u8], direction: Direction) -> Message {
    let (size, payload) = (payload.len() as u64, payload.to_vec());
    Message { direction, at: 2_500_000, kind: MessageKind::Text, size, is_cut: false, note: None, payload }
}
