//! Entries against the fields of HAR 1.2, and what Chrome adds to them.

use serde_json::{Value, json};

use super::*;
use crate::engine::decode::stream::MessageKind;
use crate::engine::http::exchange::Direction;
use crate::engine::record::rows::Message;
use crate::engine::record::samples::{exchange, message};

/// A field that HAR 1.2 requires, and what it must be.
type Required = (&'static str, fn(&Value) -> bool);

fn check(value: &Value, required: &[Required]) {
    for (name, is_right) in required {
        let field = value.get(name).unwrap_or_else(|| panic!("no `{name}` in {value}"));
        assert!(is_right(field), "`{name}` in {value}");
    }
}

#[test]
fn a_file_has_what_the_specification_requires() {
    let entries = [entry(&exchange()), entry(&bare())].map(|entry| entry.to_string()).join(",\n");
    let file: Value = serde_json::from_str(&format!("{}{entries}{END}", begin("of a \"test\""))).unwrap();
    let log = &file["log"];
    check(log, &[("version", Value::is_string), ("creator", Value::is_object), ("entries", Value::is_array)]);
    check(&log["creator"], &[("name", Value::is_string), ("version", Value::is_string)]);
    for entry in log["entries"].as_array().unwrap() {
        check(
            entry,
            &[
                ("startedDateTime", |value| super::time::parse(value.as_str().unwrap()).is_some()),
                ("time", |value| value.as_f64().is_some_and(|time| time >= 0.0)),
                ("request", Value::is_object),
                ("response", Value::is_object),
                ("cache", Value::is_object),
                ("timings", Value::is_object),
            ],
        );
        let message: [Required; 5] = [
            ("httpVersion", Value::is_string),
            ("cookies", Value::is_array),
            ("headers", Value::is_array),
            ("headersSize", Value::is_i64),
            ("bodySize", Value::is_i64),
        ];
        check(&entry["request"], &message);
        check(&entry["response"], &message);
        check(
            &entry["request"],
            &[("method", Value::is_string), ("url", Value::is_string), ("queryString", Value::is_array)],
        );
        check(
            &entry["response"],
            &[
                ("status", Value::is_u64),
                ("statusText", Value::is_string),
                ("content", Value::is_object),
                ("redirectURL", Value::is_string),
            ],
        );
        check(&entry["response"]["content"], &[("size", Value::is_u64), ("mimeType", Value::is_string)]);
        let is_time = |value: &Value| value.as_f64().is_some_and(|time| time >= 0.0);
        check(&entry["timings"], &[("send", is_time), ("wait", is_time), ("receive", is_time)]);
    }
}

/// An exchange that came to nothing, on a connection that is not recorded.
fn bare() -> Exchange {
    let mut exchange = exchange();
    (exchange.response, exchange.connection, exchange.request.body) = (None, None, None);
    let Outline { status, answered, received, error, sent, .. } = &mut exchange.outline;
    (*status, *answered, *received, *sent) = (None, None, None, None);
    *error = Some("connection reset".into());
    exchange
}

#[test]
fn times_add_up() {
    let entry = entry(&exchange());
    let expect = json!({
        "blocked": -1.0, "dns": 2.0, "connect": 2.0, "ssl": 1.0, "send": 1.0, "wait": 3.0, "receive": 2.0,
    });
    assert_eq!(entry["timings"], expect);
    assert_eq!(entry["time"], 10.0);
    // It began when the name was looked up.
    assert_eq!(entry["startedDateTime"], "1970-01-01T00:00:00.996000Z");
    let mut second = exchange();
    second.is_first = false;
    let entry = super::entry(&second);
    assert_eq!((&entry["timings"]["connect"], &entry["time"]), (&json!(-1.0), &json!(6.0)));
    assert_eq!(entry["startedDateTime"], "1970-01-01T00:00:01.000000Z");
}

#[test]
fn requests_and_responses_are_told_whole() {
    let entry = entry(&exchange());
    let (request, response) = (&entry["request"], &entry["response"]);
    assert_eq!(request["queryString"], json!([{ "name": "q", "value": "a b" }, { "name": "q", "value": "2" }]));
    assert_eq!(request["cookies"], json!([{ "name": "a", "value": "1" }, { "name": "b", "value": "x=y" }]));
    assert_eq!(request["postData"], json!({ "mimeType": "application/json", "text": "{\"a\":1}" }));
    assert_eq!(request["headers"][5], json!({ "name": "cookie", "value": "a=1; b=x=y" }));
    let cookie = json!([{
        "name": "s", "value": "t", "path": "/", "httpOnly": true, "secure": true, "sameSite": "Lax",
        "expires": "2015-10-21T07:28:00.000000Z",
    }]);
    assert_eq!(response["cookies"], cookie);
    assert_eq!(response["statusText"], "Created");
    assert_eq!(response["redirectURL"], "/next");
    let content = json!({ "size": 2, "mimeType": "application/octet-stream", "text": "AP8=", "encoding": "base64" });
    assert_eq!(response["content"], content);
    assert_eq!(entry["serverIPAddress"], "192.0.2.1");
    assert_eq!(entry["connection"], "3");
    let details = json!({ "protocol": "TLS 1.3", "cipher": "B", "verified": true });
    assert_eq!(entry["_securityDetails"], details);
}

#[test]
fn messages_and_events_are_as_chrome_writes_them() {
    let mut exchange = exchange();
    exchange.outline.stream = Some("websocket".into());
    let binary = Message { kind: MessageKind::Binary, ..message(b"\x01", Direction::Response) };
    exchange.messages = vec![message(b"hi", Direction::Request), binary];
    let expect = json!([
        { "type": "send", "time": 2.5, "opcode": 1, "data": "hi" },
        { "type": "receive", "time": 2.5, "opcode": 2, "data": "AQ==" },
    ]);
    assert_eq!(entry(&exchange)["_webSocketMessages"], expect);

    exchange.outline.stream = Some("sse".into());
    let event = |text: &[u8]| Message { kind: MessageKind::Event, ..message(text, Direction::Response) };
    exchange.messages = vec![event(b"event: a\nid: 1\ndata: x\ndata: y"), event(b": alive"), event(b"data: z")];
    let expect = json!([
        { "time": 2.5, "eventName": "a", "eventId": "1", "data": "x\ny" },
        { "time": 2.5, "eventName": "message", "eventId": "", "data": "z" },
    ]);
    assert_eq!(entry(&exchange)["_eventSourceMessages"], expect);
}

#[test]
fn escapes_of_a_query_are_undone() {
    for (text, expect) in [("a+b", "a b"), ("%41", "A"), ("100%", "100%"), ("%zz%2", "%zz%2"), ("%ff", "\u{fffd}")] {
        assert_eq!(unescaped(text), expect, "{text}");
    }
}
