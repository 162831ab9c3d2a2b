//! Pages of exchanges with streams, and what a page does to text that would control a terminal.

use super::show::page;
use crate::engine::decode::protobuf::schema::Schema;
use crate::engine::decode::stream::MessageKind;
use crate::engine::http::Field;
use crate::engine::http::exchange::Direction;
use crate::engine::record::samples::{exchange, message};
use crate::engine::record::{Content, Exchange, Message};
use crate::ui::colour::Paint;

fn shown(exchange: &Exchange, schema: &Schema, each: bool) -> String {
    page(exchange, schema, each, Paint::off())
}

/// Asserts that `page` has these parts, in this order.
#[track_caller]
fn assert_parts(page: &str, parts: &[&str]) {
    let mut rest = page;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("no `{part}` in its place in:\n{page}"));
        rest = &rest[at + part.len()..];
    }
}

fn stream(kind: &str, messages: Vec<Message>) -> Exchange {
    let mut exchange = exchange();
    exchange.outline.stream = Some(kind.into());
    exchange.messages = messages;
    exchange
}

fn of(kind: MessageKind, payload: &[u8], direction: Direction) -> Message {
    Message { kind, ..message(payload, direction) }
}

#[test]
fn a_page_has_times_heads_and_bodies() {
    let page = shown(&exchange(), &Schema::default(), false);
    let parts = [
        "exchange 7  1970-01-01T00:00:01.000000Z\n",
        "timing  6.00 ms\n",
        "dns           2.00 ms  ████████",
        "tls           1.00 ms",
        "waiting       3.00 ms",
        "request  POST https://api.example/v1?q=a%20b&q=2 HTTP/2\n    :method: POST\n",
        "body, 7 B, json\n    {\n      \"a\": 1\n    }\n",
        "response  201 Created\n",
        "body, 2 B, bytes\n",
    ];
    assert_parts(&page, &parts);
}

#[test]
fn nothing_that_came_controls_the_terminal() {
    let mut evil = stream("websocket", vec![of(MessageKind::Text, b"\x1b[2Jmessage", Direction::Response)]);
    evil.request.head.push(Field::new("x-\x1b[31m", "a\r\n\u{9b}2Jb\u{202e}c"));
    evil.request.body = Some(Content { bytes: b"\x1b]0;title\x07{".to_vec(), ..Content::default() });
    (evil.outline.path, evil.outline.error) = ("/\x1b[1m".into(), Some("\x1b[5mfailed".into()));
    evil.connection.as_mut().unwrap().process = Some("\x1b[7mname".into());
    let page = shown(&evil, &Schema::default(), true);
    let active = |c: &char| c.is_control() && *c != '\n' || *c == '\u{202e}';
    assert_eq!(page.chars().find(active), None, "{page}");
    assert_parts(&page, &["\\u{1b}[5mfailed", "x-\\u{1b}[31m", "a\\r\\n\\u{9b}2Jb\\u{202e}c", "\\u{1b}[2Jmessage"]);
}

#[test]
fn messages_of_grpc_have_names_with_a_schema_and_numbers_without() {
    let mut call = stream("grpc", vec![of(MessageKind::Message, b"\x0a\x03ada", Direction::Request)]);
    call.outline.path = "/pkg.Greeter/Hello".into();
    call.request.head = vec![Field::new("content-type", "application/grpc")];
    let source = "syntax = \"proto3\"; package pkg; message Name { string name = 1; }
        service Greeter { rpc Hello(Name) returns (Name); }";
    let mut schema = Schema::default();
    schema.add_sources(&[("a.proto".to_owned(), source.to_owned())]).unwrap();
    assert_parts(&shown(&call, &schema, false), &["message, 5 B\n", "pkg.Name {\n", "\"name\": \"ada\""]);
    assert_parts(&shown(&call, &Schema::default(), false), &["message, 5 B\n", "1", "ada"]);
}

#[test]
fn a_models_stream_is_put_together_and_events_are_shown_when_asked_for() {
    let chunk = |text: &str| {
        let choice = format!("{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}");
        let data = format!("data: {{\"object\":\"chat.completion.chunk\",\"model\":\"m-1\",\"choices\":[{choice}]}}");
        of(MessageKind::Event, data.as_bytes(), Direction::Response)
    };
    let chat = stream("sse", vec![chunk("Hel"), chunk("lo")]);
    let page = shown(&chat, &Schema::default(), false);
    assert_parts(&page, &["chat, from 2 events", "model: m-1", "Hello", "`--messages`"]);
    assert_parts(&shown(&chat, &Schema::default(), true), &["Hello", "00:00:02.500  event", "\"content\": \"Hel\""]);

    let plain =
        stream("sse", vec![of(MessageKind::Event, b"event: tick\nid: 4\ndata: {\"n\":1}", Direction::Response)]);
    assert_parts(&shown(&plain, &Schema::default(), false), &["event tick, 31 B, id 4", "\"n\": 1"]);
}

#[test]
fn messages_of_a_websocket_go_both_ways_and_end_with_a_code() {
    let exchange = stream(
        "websocket",
        vec![
            of(MessageKind::Text, b"{\"a\":1}", Direction::Request),
            of(MessageKind::Binary, b"\x00\x01", Direction::Response),
            of(MessageKind::Close, b"\x03\xe8bye", Direction::Response),
        ],
    );
    let page = shown(&exchange, &Schema::default(), false);
    assert_parts(
        &page,
        &["request", "text, 7 B", "\"a\": 1", "response", "binary, 2 B", "00 01", "close, 5 B", "1000 bye"],
    );
}
