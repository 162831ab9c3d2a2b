//! An exchange as one JSON object: what `agent flows --json`, `agent flows show --json` and `agent export --jsonl` print.
//! Times are RFC 3339, spans microseconds, sizes bytes. A body is text where it is UTF-8, and base64 otherwise.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::rows::{Connection, Exchange, Half, Message, Outline, Tls};
use super::{phases, time};
use crate::engine::http::Field;

/// What a list says of an exchange.
#[must_use]
pub fn outline(outline: &Outline) -> Value {
    let at = |time: Option<i64>| time.map(time::rfc3339);
    json!({
        "id": outline.id,
        "connection": outline.connection,
        "started": time::rfc3339(outline.started),
        "sent": at(outline.sent),
        "answered": at(outline.answered),
        "received": at(outline.received),
        "finished": at(outline.finished),
        "took_us": outline.took_us(),
        "process": outline.process,
        "pid": outline.pid,
        "version": outline.version,
        "method": outline.method,
        "url": outline.url(),
        "host": outline.host,
        "path": outline.path,
        "status": outline.status,
        "request_bytes": outline.request_size,
        "response_bytes": outline.response_size,
        "stream": outline.stream,
        "verdict": outline.verdict,
        "rule": outline.rule,
        "error": outline.error,
    })
}

/// All that is kept of an exchange.
#[must_use]
pub fn object(exchange: &Exchange) -> Value {
    let mut object = outline(&exchange.outline);
    object["connection"] =
        exchange.connection.as_ref().map_or(json!({ "id": exchange.outline.connection }), connection);
    let phases = phases(exchange).into_iter().map(|phase| (phase.name.to_owned(), phase.took.into()));
    object["timings_us"] = Value::Object(phases.collect());
    object["request"] = half(&exchange.request);
    object["response"] = exchange.response.as_ref().map_or(Value::Null, half);
    let informational = exchange.informational.iter();
    object["informational"] =
        informational.map(|(status, head)| json!({ "status": status, "head": fields(head) })).collect();
    object["messages"] = exchange.messages.iter().map(message).collect();
    object
}

/// The content of a body or a message: `text`, or `base64` of what is none.
#[must_use]
pub fn content(bytes: &[u8]) -> (&'static str, String) {
    match std::str::from_utf8(bytes) {
        Ok(text) => ("text", text.to_owned()),
        Err(_) => ("base64", STANDARD.encode(bytes)),
    }
}

fn half(half: &Half) -> Value {
    let mut object = json!({ "head": fields(&half.head), "bytes": half.size, "trailers": fields(&half.trailers) });
    if let Some(body) = &half.body {
        let decoded = half.decoded();
        let (form, content) = content(&decoded.bytes);
        object["body"] = json!({
            form: content, "bytes": decoded.bytes.len(), "cut": body.is_cut, "open": body.is_open, "note": decoded.note,
        });
    }
    object
}

fn fields(fields: &[Field]) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    fields.iter().map(|field| json!([text(&field.name), text(&field.value)])).collect()
}

fn message(message: &Message) -> Value {
    let (form, content) = content(&message.payload);
    let mut object = Map::new();
    object.insert("direction".into(), message.direction.name().into());
    object.insert("at".into(), time::rfc3339(message.at).into());
    object.insert("kind".into(), message.kind.name().into());
    object.insert("bytes".into(), message.size.into());
    object.insert("cut".into(), message.is_cut.into());
    object.insert("note".into(), message.note.clone().into());
    object.insert(form.into(), content.into());
    Value::Object(object)
}

fn connection(connection: &Connection) -> Value {
    let tls = |tls: &Option<Tls>| {
        tls.as_ref().map(|tls| json!({ "suite": tls.suite, "resumed": tls.resumed, "took_us": tls.took_us }))
    };
    json!({
        "id": connection.id,
        "accepted": time::rfc3339(connection.accepted),
        "closed": connection.closed.map(time::rfc3339),
        "child": connection.child,
        "destination": connection.destination,
        "carried": connection.carried,
        "pid": connection.pid,
        "process": connection.process,
        "executable": connection.executable,
        "uid": connection.uid,
        "connect_us": connection.connect_us,
        "sni": connection.sni,
        "alpn": connection.alpn,
        "verified": connection.verified,
        "child_tls": tls(&connection.child_tls),
        "server_tls": tls(&connection.server_tls),
        "certificates": connection.certificates,
        "error": connection.error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::http::exchange::Direction;
    use crate::engine::record::samples::{exchange, message as sample};

    #[test]
    fn an_object_has_heads_in_order_and_bodies_decoded() {
        let object = object(&exchange());
        assert_eq!(object["url"], "https://api.example/v1?q=a%20b&q=2");
        assert_eq!(object["request"]["head"][0], json!([":method", "POST"]));
        assert_eq!(object["request"]["body"]["text"], "{\"a\":1}");
        assert_eq!(object["response"]["body"]["base64"], "AP8=");
        assert_eq!(object["timings_us"]["waiting"], 3_000);
        assert_eq!(object["connection"]["destination"], "192.0.2.1:443");
        assert_eq!(object["started"], "1970-01-01T00:00:01.000000Z");
    }

    #[test]
    fn messages_say_which_way_they_went_and_what_they_say() {
        let mut exchange = exchange();
        exchange.messages = vec![sample(b"hello", Direction::Request), sample(b"\xff", Direction::Response)];
        let object = object(&exchange);
        assert_eq!(object["messages"][0]["direction"], "request");
        assert_eq!(object["messages"][0]["text"], "hello");
        assert_eq!(object["messages"][1]["base64"], "/w==");
    }
}
