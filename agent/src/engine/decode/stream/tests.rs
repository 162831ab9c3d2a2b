//! Tests of message streams.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

use super::*;
use crate::engine::dice::Dice;

const REQUEST: Direction = Direction::Request;
const RESPONSE: Direction = Direction::Response;

fn fields(list: &[(&'static str, &'static str)]) -> Vec<Field> {
    list.iter().map(|&(name, value)| Field::new(name, value)).collect()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// What a reader says of `bytes` that come in pieces.
fn read(kind: Kind, direction: Direction, head: &[Field], bytes: &[u8], piece: usize) -> Vec<Message> {
    let mut reader = Reader::new(kind, direction, head, head);
    let mut messages = Vec::new();
    bytes.chunks(piece).for_each(|piece| reader.feed(piece, &mut messages));
    reader.end(&mut messages);
    messages
}

/// What does not depend on the pieces in which a stream came: how far something broken was decompressed does.
fn same(messages: Vec<Message>) -> Vec<(MessageKind, Option<Message>)> {
    let one = |message: Message| (message.kind, (message.kind != MessageKind::Malformed).then_some(message));
    messages.into_iter().map(one).collect()
}

/// One line for each message; that pieces do not matter is asserted.
fn lines(kind: Kind, direction: Direction, head: &[Field], bytes: &[u8]) -> Vec<String> {
    let whole = read(kind, direction, head, bytes, usize::MAX);
    for piece in [1, 2, 3, 7] {
        assert_eq!(same(read(kind, direction, head, bytes, piece)), same(whole.clone()), "in pieces of {piece}");
    }
    let line = |message: &Message| {
        let cut = if message.is_cut { " cut" } else { "" };
        format!("{} {} {}{cut}", message.kind.name(), message.wire, message.payload.escape_ascii())
    };
    whole.iter().map(line).collect()
}

fn envelope(flags: u8, payload: &[u8]) -> Vec<u8> {
    [&[flags], &u32::try_from(payload.len()).unwrap().to_be_bytes()[..], payload].concat()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn the_kind_is_told_by_the_heads() {
    let of = |media| fields(&[("Content-Type", media)]);
    let none = fields(&[]);
    for (request, response, expect) in [
        ("application/grpc", "application/grpc+proto", [Some(Kind::Grpc), Some(Kind::Grpc)]),
        ("Application/gRPC; a=b", "text/html", [Some(Kind::Grpc), None]),
        ("application/grpc-web", "application/grpc-web+proto", [Some(Kind::GrpcWeb), Some(Kind::GrpcWeb)]),
        ("application/grpc-web-text+proto", "a/b", [Some(Kind::GrpcWebText), None]),
        ("application/grpcx", "application/connect", [None, None]),
        ("application/connect+json", "application/connect+json", [Some(Kind::Connect), Some(Kind::Connect)]),
        ("text/event-stream", "text/event-stream;charset=utf-8", [None, Some(Kind::Sse)]),
    ] {
        let (request, response) = (of(request), of(response));
        let kind = |direction| Kind::of(direction, &request, None, Some((200, &response)));
        assert_eq!([kind(REQUEST), kind(RESPONSE)], expect, "{request:?} {response:?}");
        assert_eq!(
            [Kind::of(REQUEST, &request, None, None), Kind::of(RESPONSE, &request, None, None)],
            [expect[0], None]
        );
    }
    let upgrade = fields(&[("Upgrade", "WebSocket")]);
    for (request, tunnel, status, expect) in [
        (&upgrade, "WebSocket", Some(101), Some(Kind::WebSocket)),
        (&upgrade, "websocket", Some(200), None),
        (&upgrade, "h2c", Some(101), None),
        (&none, "websocket", Some(200), Some(Kind::WebSocket)),
        (&none, "websocket", Some(403), None),
        (&none, "websocket", None, None),
    ] {
        let response = status.map(|status| (status, none.as_slice()));
        assert_eq!(Kind::of(REQUEST, request, Some(tunnel), response), expect, "{tunnel} {status:?}");
    }
}

#[test]
fn grpc_messages_come_one_by_one() {
    let named = fields(&[("grpc-encoding", "gzip")]);
    let unknown = fields(&[("grpc-encoding", "snappy")]);
    let packed = gzip(b"hello");
    let cost = packed.len() + 5;
    for (kind, head, bytes, expect) in [
        (
            Kind::Grpc,
            &fields(&[]),
            [envelope(0, b"abc"), envelope(0, b"")].concat(),
            vec!["message 8 abc".into(), "message 5 ".into()],
        ),
        (
            Kind::Grpc,
            &named,
            [envelope(1, &packed), envelope(0, b"x")].concat(),
            vec![format!("message {cost} hello"), "message 6 x".into()],
        ),
        (Kind::Grpc, &unknown, envelope(1, b"zz"), vec!["message 7 zz".into()]),
        (Kind::Grpc, &fields(&[]), envelope(1, b"zz"), vec!["message 7 zz".into()]),
        (Kind::Grpc, &fields(&[]), envelope(0, b"abc")[..7].to_vec(), vec!["message 7 ab cut".into()]),
        (Kind::Grpc, &fields(&[]), vec![0, 0], vec![r"malformed 2 \x00\x00 cut".into()]),
        (
            Kind::Grpc,
            &fields(&[]),
            [envelope(0, b"a"), envelope(0x80, b"b")].concat(),
            vec!["message 6 a".into(), r"malformed 5 \x80\x00\x00\x00\x01 cut".into()],
        ),
        (Kind::Grpc, &named, envelope(1, b"no gzip"), vec!["malformed 12  cut".into()]),
        (
            Kind::GrpcWeb,
            &fields(&[]),
            [envelope(0, b"a"), envelope(0x80, b"grpc-status: 0\r\n")].concat(),
            vec!["message 6 a".into(), r"trailers 21 grpc-status: 0\r\n".into()],
        ),
        (
            Kind::Connect,
            &fields(&[("connect-content-encoding", "gzip")]),
            [envelope(1, &packed), envelope(2, b"{}")].concat(),
            vec![format!("message {cost} hello"), "end-stream 7 {}".into()],
        ),
        (Kind::Connect, &fields(&[]), envelope(4, b"{}"), vec![r"malformed 5 \x04\x00\x00\x00\x02 cut".into()]),
    ] {
        assert_eq!(lines(kind, REQUEST, head, &bytes), expect, "{kind:?} {}", bytes.escape_ascii());
    }
}

#[test]
fn what_is_not_decompressed_says_why() {
    let unknown = fields(&[("grpc-encoding", "snappy")]);
    let messages = read(Kind::Grpc, REQUEST, &unknown, &envelope(1, b"zz"), 9);
    assert_eq!(messages[0].note, Some("compressed in a way that is not known"));
    let messages = read(Kind::Grpc, REQUEST, &[], &envelope(0, b"zz"), 9);
    assert_eq!(messages[0].note, None);
}

#[test]
fn grpc_web_text_may_pad_within_the_stream() {
    let pieces = [envelope(0, b"abcd"), envelope(0x80, b"grpc-status:0")].map(|frame| STANDARD.encode(frame));
    let expect = ["message 9 abcd", "trailers 18 grpc-status:0"];
    assert_eq!(lines(Kind::GrpcWebText, RESPONSE, &[], pieces.concat().as_bytes()), expect);
    let broken = lines(Kind::GrpcWebText, RESPONSE, &[], b"AAAA!!!!");
    assert_eq!(broken, [r"malformed 3 \x00\x00\x00 cut"]);
}

#[test]
fn events_are_split_at_empty_lines_whatever_the_line_end() {
    for (bytes, expect) in [
        (&b"data: a\n\ndata: b\n\n"[..], vec!["event 9 data: a", "event 9 data: b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", vec!["event 11 data: a", "event 11 data: b"]),
        (b"data: a\r\rdata: b\r\r", vec!["event 9 data: a", "event 9 data: b"]),
        (b"a\r\nb\r\n\r\n", vec![r"event 8 a\r\nb"]),
        (b"a\n\rb\n\n", vec!["event 3 a", "event 3 b"]),
        (b"\xef\xbb\xbfa\n\n", vec!["event 6 a"]),
        (b"\xef\xbba\n\n", vec![r"event 5 \xef\xbba"]),
        (b"a\n\n\xef\xbb\xbfb\n\n", vec!["event 3 a", r"event 6 \xef\xbb\xbfb"]),
        (b"\n\n\n:\n\n", vec!["event 6 :"]),
        (b"a\n\nb\nc", vec!["event 3 a", r"event 3 b\nc cut"]),
        (b"\r\n\r\n", vec![]),
    ] {
        let lines = lines(Kind::Sse, RESPONSE, &[], bytes);
        // A CRLF that ends an event is seen with its CR: the LF counts with what comes next.
        let payloads =
            |lines: &[String]| lines.iter().map(|line| line.split(' ').skip(2).collect::<String>()).collect::<Vec<_>>();
        let expect: Vec<String> = expect.into_iter().map(str::to_owned).collect();
        assert_eq!(payloads(&lines), payloads(&expect), "{}", bytes.escape_ascii());
    }
    assert_eq!(lines(Kind::Sse, RESPONSE, &[], b"a\r\n\r\nb\r\n\r\n"), ["event 4 a", "event 5 b"]);
}

#[test]
fn events_are_found_in_coded_bodies() {
    let head = fields(&[("content-encoding", "gzip")]);
    assert_eq!(
        lines(Kind::Sse, RESPONSE, &head, &gzip(b"data: a\n\ndata: b\n\n")),
        ["event 9 data: a", "event 9 data: b"]
    );
    let broken = [gzip(b"data: a\n\nb"), b"\x1fxx".to_vec()].concat();
    assert_eq!(lines(Kind::Sse, RESPONSE, &head, &broken), ["event 9 data: a", "malformed 1 b cut"]);
}

/// The examples of WHATWG HTML, section 9.2.6, and its rules.
#[test]
fn an_event_is_what_its_lines_say() {
    let event =
        |event: &str, data: &str| sse::Event { event: event.into(), data: data.into(), ..sse::Event::default() };
    for (block, expect) in [
        ("data: YHOO\ndata: +2\ndata: 10", event("", "YHOO\n+2\n10")),
        (": test stream", sse::Event { comments: vec!["test stream".into()], ..sse::Event::default() }),
        ("data: first event\nid: 1", sse::Event { id: Some("1".into()), ..event("", "first event") }),
        ("data:second event\nid", sse::Event { id: Some(String::new()), ..event("", "second event") }),
        ("data:  third event", event("", " third event")),
        ("data", event("", "")),
        ("data\ndata", event("", "\n")),
        (
            "event: add\rdata: 73857293\r\nretry: 250\nretry: x\nother: y",
            sse::Event { retry: Some(250), ..event("add", "73857293") },
        ),
        ("id: a\0b\ndata: x:y", event("", "x:y")),
    ] {
        assert_eq!(sse::Event::parse(block.as_bytes()), expect, "{block:?}");
    }
}

/// The examples of RFC 6455 section 5.7.
#[test]
fn websocket_frames_are_messages() {
    for (bytes, expect) in [
        ("81 05 48 65 6c 6c 6f", vec!["text 7 Hello"]),
        ("81 85 37 fa 21 3d 7f 9f 4d 51 58", vec!["text 11 Hello"]),
        ("01 03 48 65 6c 80 02 6c 6f", vec!["text 9 Hello"]),
        ("89 05 48 65 6c 6c 6f 8a 85 37 fa 21 3d 7f 9f 4d 51 58", vec!["ping 7 Hello", "pong 11 Hello"]),
        ("01 03 48 65 6c 89 00 00 00 80 02 6c 6f", vec!["ping 2 ", "text 11 Hello"]),
        ("82 7e 00 02 01 02 88 02 03 e8 88 00", vec![r"binary 6 \x01\x02", r"close 4 \x03\xe8", "close 2 "]),
        ("82 7f 00 00 00 00 00 00 00 01 61", vec!["binary 11 a"]),
        ("81 05 48 65", vec!["text 4 He cut"]),
        ("01 03 48 65 6c", vec!["text 5 Hel cut"]),
        ("81", vec![r"malformed 1 \x81 cut"]),
        // Reserved bits and opcodes, long or fragmented control frames, fragments out of order, lengths of 2^63.
        ("c1 00", vec![r"malformed 0  cut"]),
        ("a1 00", vec![r"malformed 2 \xa1\x00 cut"]),
        ("83 00", vec![r"malformed 2 \x83\x00 cut"]),
        ("89 7e 00 7e", vec![r"malformed 4 \x89~\x00~ cut"]),
        ("09 00", vec![r"malformed 2 \t\x00 cut"]),
        ("80 00", vec!["malformed 0  cut"]),
        ("01 01 61 01 01 62", vec!["malformed 3 a cut"]),
        ("82 7f 80 00 00 00 00 00 00 00", vec![r"malformed 10 \x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00 cut"]),
    ] {
        assert_eq!(lines(Kind::WebSocket, REQUEST, &[], &unhex(bytes)), expect, "{bytes}");
    }
}

/// The examples of RFC 7692 section 7.2.3.
#[test]
fn compressed_websocket_messages_are_inflated() {
    let agreed = fields(&[("Sec-WebSocket-Extensions", "x, permessage-deflate; server_no_context_takeover")]);
    let hello = "c1 07 f2 48 cd c9 c9 07 00";
    for (direction, bytes, expect) in [
        (REQUEST, hello.to_owned(), vec!["text 9 Hello"]),
        (REQUEST, "41 03 f2 48 cd 89 00 80 04 c9 c9 07 00".into(), vec!["ping 2 ", "text 11 Hello"]),
        (REQUEST, format!("{hello} c1 05 f2 00 11 00 00"), vec!["text 9 Hello", "text 7 Hello"]),
        (RESPONSE, format!("{hello} {hello}"), vec!["text 9 Hello", "text 9 Hello"]),
        // What was forgotten reads as zeros.
        (RESPONSE, format!("{hello} c1 05 f2 00 11 00 00"), vec!["text 9 Hello", r"text 7 H\x00\x00\x00\x00"]),
        (REQUEST, "c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00".into(), vec!["text 13 Hello"]),
        (REQUEST, format!("c1 08 f3 48 cd c9 c9 07 00 00 {hello}"), vec!["text 10 Hello", "text 9 Hello"]),
        (REQUEST, "c1 0d f2 48 05 00 00 00 ff ff ca c9 c9 07 00".into(), vec!["text 15 Hello"]),
        (REQUEST, format!("81 01 61 {hello} c1 01 00"), vec!["text 3 a", "text 9 Hello", "text 3 "]),
        (REQUEST, "c1 02 ff ff".into(), vec!["malformed 2  cut"]),
    ] {
        assert_eq!(lines(Kind::WebSocket, direction, &agreed, &unhex(&bytes)), expect, "{bytes}");
    }
}

#[test]
fn a_large_message_is_cut_and_the_next_one_is_read() {
    let large = vec![b'a'; MAX_MESSAGE + 5];
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    deflate.write_all(&large).unwrap();
    deflate.flush().unwrap();
    let deflated = deflate.get_ref().strip_suffix(&[0, 0, 0xff, 0xff]).unwrap().to_vec();
    let frame =
        |first: u8, payload: &[u8]| [&[first, 127], &(payload.len() as u64).to_be_bytes()[..], payload].concat();
    let zstd = zstd::stream::encode_all(&large[..], 3).unwrap();
    let head = fields(&[("grpc-encoding", "gzip"), ("sec-websocket-extensions", "permessage-deflate")]);
    for (kind, bytes) in [
        (Kind::Grpc, [envelope(0, &large), envelope(0, b"b")].concat()),
        (Kind::Grpc, [envelope(1, &gzip(&large)), envelope(0, b"b")].concat()),
        (Kind::Sse, [&large, &b"\n\nb\n\n"[..]].concat()),
        (Kind::WebSocket, [frame(0x82, &large), frame(0x82, b"b")].concat()),
        (Kind::WebSocket, [frame(0xc2, &deflated), frame(0x82, b"b")].concat()),
    ] {
        for piece in [4096, usize::MAX] {
            let messages = read(kind, REQUEST, &head, &bytes, piece);
            let told: Vec<_> = messages.iter().map(|message| (message.payload.len(), message.is_cut)).collect();
            assert_eq!(told, [(MAX_MESSAGE, true), (1, false)], "{kind:?}");
        }
    }
    // What a few bytes would unpack to is not believed to be a message.
    let head = fields(&[("grpc-encoding", "zstd"), ("content-encoding", "zstd")]);
    let messages = read(Kind::Grpc, REQUEST, &head[..1], &envelope(1, &zstd), 99);
    assert!(messages[0].is_cut && messages[0].payload.len() < zstd.len() * 1040 + 5000);
    let bomb = zstd::stream::encode_all(vec![b'\n'; 64 << 20].as_slice(), 3).unwrap();
    let messages = read(Kind::Sse, REQUEST, &head[1..], &bomb, usize::MAX);
    assert_eq!(messages.last().map(|message| message.kind), Some(MessageKind::Malformed));
}

#[test]
fn pieces_do_not_matter_for_streams_that_are_spoilt() {
    let packed = gzip(b"hello");
    let head = fields(&[
        ("grpc-encoding", "gzip"),
        ("connect-content-encoding", "gzip"),
        ("sec-websocket-extensions", "permessage-deflate"),
    ]);
    let frames = unhex("81 05 48 65 6c 6c 6f 41 03 f2 48 cd 89 00 80 04 c9 c9 07 00 81 85 37 fa 21 3d 7f 9f 4d 51 58");
    let enveloped = [envelope(1, &packed), envelope(0, b"ab"), envelope(2, b"{}"), envelope(0x80, b"a:b")].concat();
    let text = [&enveloped[..30], &enveloped[30..]].map(|part| STANDARD.encode(part)).concat().into_bytes();
    let mut dice = Dice(11);
    for round in 0..3000 {
        let (kind, bytes) = match round % 6 {
            0 => (Kind::Grpc, &enveloped),
            1 => (Kind::GrpcWeb, &enveloped),
            2 => (Kind::Connect, &enveloped),
            3 => (Kind::GrpcWebText, &text),
            4 => (Kind::WebSocket, &frames),
            _ => (Kind::Sse, &b"\xef\xbb\xbfdata: a\r\n\r\ndata: b\n\n\r\r:c\r\n\n".to_vec()),
        };
        let bytes = dice.spoil(bytes);
        let said = |piece| same(read(kind, REQUEST, &head, &bytes, piece));
        assert_eq!(said(1 + dice.below(4)), said(usize::MAX), "{kind:?} {}", bytes.escape_ascii());
    }
}
