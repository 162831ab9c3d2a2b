//! HTTP/2 as RFC 9113 has it. Over the verbatim carrier the frames of either end arrive as they are; over both what they
//! mean does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use serde_json::{Value, json};
use tests::h2::*;
use tests::play::{CARRIERS, Case, Stage, bytes, h2, h2c};
use tests::procfs::peak_kib;

const GET: Fields<'_> = &[(":method", "GET"), (":scheme", "https"), (":authority", "conform.test"), (":path", "/")];
const POST: Fields<'_> = &[(":method", "POST"), (":scheme", "https"), (":authority", "conform.test"), (":path", "/")];
const OK: Fields<'_> = &[(":status", "200")];

/// How much the worker may grow in a flood.
const GROWTH_KIB: u64 = 32 << 10;

/// A connection whose settings were exchanged.
fn open(case: Case) -> Case {
    open_with(case, &[], &[])
}

fn open_with(case: Case, child: &[(u16, u32)], server: &[(u16, u32)]) -> Case {
    case.child([PREFACE, &settings(child)].concat())
        .server([settings(server), settings_ack()].concat())
        .child(settings_ack())
}

/// A case over TLS and in plain text.
fn both(name: &str, play: impl Fn(Case) -> Case) -> Vec<Case> {
    let plain = format!("{name}, in plain text");
    [h2(name), h2c(&plain)].map(|case| play(case.only_verbatim())).into()
}

#[test]
fn frames_arrive_as_they_are() {
    let cases = [messages(), streams(), control(), ends(), tables(), resets()].concat();
    let stage = Stage::new();
    let session = stage.session("verbatim", &[]);
    stage.play(&session, "verbatim", &cases);
    session.down();
}

fn messages() -> Vec<Case> {
    let priority = [0, 0, 0, 0, 200];
    let padded_head = [&[3][..], &priority, &block(POST), &[0; 3]].concat();
    let response = block(&[(":status", "200"), ("x-long", "yes")]);
    let trailers = &[("grpc-status", "0"), ("grpc-message", "fine")];
    let hints = &[(":status", "103"), ("link", "</a.css>; rel=preload")];
    [
        both("a request and its response", |case| {
            open(case).child(headers(1, END_STREAM, GET)).server(headers(1, 0, OK)).server(data(1, END_STREAM, "ok"))
        }),
        both("bodies each way at once, piece by piece", |case| {
            open(case)
                .child(headers(1, 0, POST))
                .server(headers(1, 0, OK))
                .child(data(1, 0, "one"))
                .server(data(1, 0, "ONE"))
                .child(data(1, 0, "two"))
                .server(data(1, 0, "TWO"))
                .child(data(1, END_STREAM, ""))
                .server(data(1, END_STREAM, ""))
        }),
        both("padding and priorities", |case| {
            open(case)
                .child(frame(HEADERS, END_HEADERS | PADDED | WITH_PRIORITY, 1, &padded_head))
                .child(frame(DATA, PADDED, 1, b"\x04body\0\0\0\0"))
                .child(frame(DATA, PADDED | END_STREAM, 1, &[0]))
                .server(frame(HEADERS, END_HEADERS | PADDED, 1, &[&[1][..], &block(OK), &[0]].concat()))
                .server(frame(DATA, PADDED | END_STREAM, 1, &[255].repeat(256)))
        }),
        both("header blocks in many frames", |case| {
            let (first, rest) = response.split_at(5);
            let pieces =
                block(POST).chunks(7).map(|piece| frame(CONTINUATION, 0, 1, piece)).collect::<Vec<_>>().concat();
            open(case)
                .child([frame(HEADERS, END_STREAM, 1, &[]), pieces, frame(CONTINUATION, END_HEADERS, 1, &[])].concat())
                .server([frame(HEADERS, END_STREAM, 1, first), frame(CONTINUATION, END_HEADERS, 1, rest)].concat())
        }),
        both("trailers each way", |case| {
            open(case)
                .child([headers(1, 0, POST), data(1, 0, "x"), headers(1, END_STREAM, &[("x-sum", "1")])].concat())
                .server([headers(1, 0, OK), data(1, 0, "x"), headers(1, END_STREAM, trailers)].concat())
        }),
        both("trailers alone", |case| {
            open(case).child(headers(1, END_STREAM, GET)).server(headers(1, END_STREAM, &[OK, trailers].concat()))
        }),
        both("informational responses", |case| {
            open(case)
                .child(headers(1, 0, &[POST, &[("expect", "100-continue")]].concat()))
                .server(headers(1, 0, &[(":status", "100")]))
                .child(data(1, END_STREAM, "x"))
                .server(headers(1, 0, hints))
                .server(headers(1, 0, hints))
                .server(headers(1, END_STREAM, OK))
        }),
    ]
    .concat()
}

fn streams() -> Vec<Case> {
    [
        both("streams at once, answered in another order", |case| {
            let case = open(case)
                .child([headers(1, END_STREAM, GET), headers(3, 0, POST), headers(5, END_STREAM, GET)].concat());
            case.server([headers(5, 0, OK), headers(1, 0, OK), data(5, 0, "a"), data(1, 0, "b")].concat())
                .child([data(3, 0, "c"), headers(7, END_STREAM, GET), data(3, END_STREAM, "d")].concat())
                .server(
                    [
                        headers(3, END_STREAM, OK),
                        data(1, END_STREAM, ""),
                        data(5, END_STREAM, ""),
                        headers(7, END_STREAM, OK),
                    ]
                    .concat(),
                )
        }),
        both("a response before the request is over, and no more of it wanted", |case| {
            open(case)
                .child([headers(1, 0, POST), data(1, 0, "half")].concat())
                .server([headers(1, END_STREAM, OK), reset(1, 0)].concat())
                .child([data(1, END_STREAM, "rest"), headers(3, END_STREAM, GET)].concat())
                .server(headers(3, END_STREAM, OK))
        }),
        both("PUSH_PROMISE", |case| {
            let promise = [&[0, 0, 0, 2][..], &block(GET)].concat();
            open(case)
                .child(headers(1, END_STREAM, GET))
                .server([frame(PUSH_PROMISE, END_HEADERS, 1, &promise), headers(1, END_STREAM, OK)].concat())
                .server([headers(2, 0, OK), data(2, END_STREAM, "pushed")].concat())
                .child(window_update(0, 6))
        }),
        both("frames as large as each side allows", |case| {
            let allows = [(5, 1 << 20), (4, 1 << 24)];
            let content = "x".repeat(200_000);
            open_with(case, &allows, &allows)
                .child([window_update(0, 1 << 24), headers(1, 0, POST), data(1, END_STREAM, &content)].concat())
                .server([window_update(0, 1 << 24), headers(1, 0, OK), data(1, END_STREAM, &content)].concat())
        }),
        both("extended CONNECT", |case| {
            let connect = [
                (":method", "CONNECT"),
                (":protocol", "websocket"),
                (":scheme", "https"),
                (":path", "/chat"),
                (":authority", "conform.test"),
            ];
            open_with(case, &[], &[(8, 1)])
                .child(headers(1, 0, &connect))
                .server(headers(1, 0, OK))
                .child(data(1, 0, "\u{1}\u{5}hello"))
                .server(data(1, 0, "\u{1}\u{5}olleh"))
                .child(data(1, END_STREAM, ""))
                .server(data(1, END_STREAM, ""))
        }),
        both("CONNECT", |case| {
            open(case)
                .child(headers(1, 0, &[(":method", "CONNECT"), (":authority", "a.test:443")]))
                .server(headers(1, 0, OK))
                .child(data(1, 0, "x"))
                .server(data(1, END_STREAM, "y"))
                .child(data(1, END_STREAM, ""))
        }),
    ]
    .concat()
}

fn control() -> Vec<Case> {
    let unknown = |flags, stream, payload| frame(0xfa, flags, stream, payload);
    [
        both("settings of either side, known and unknown, before and after others", |case| {
            let all =
                [(1, 0), (1, 4096), (2, 0), (3, 7), (4, 70_000), (5, 20_000), (6, 9999), (8, 1), (9, 1), (0xf0f0, 7)];
            open_with(case, &all, &all)
                .child(settings(&[(4, 1), (4, 65_535)]))
                .server(settings_ack())
                .server(settings(&[(3, 0)]))
                .child(settings_ack())
                .server(settings(&[]))
                .server(settings(&[(3, 100)]))
                .child([settings_ack(), settings_ack()].concat())
        }),
        both("PING each way", |case| {
            open(case)
                .child(frame(PING, 0, 0, b"\x01\x02\x03\x04\x05\x06\x07\x08"))
                .server(frame(PING, ACK, 0, b"\x01\x02\x03\x04\x05\x06\x07\x08"))
                .server(frame(PING, 0, 0, b"8 bytes."))
                .child(frame(PING, ACK, 0, b"8 bytes."))
        }),
        both("WINDOW_UPDATE of connection and streams", |case| {
            open(case)
                .child(
                    [
                        window_update(0, 1),
                        headers(1, 0, POST),
                        window_update(1, 0x7fff_0000),
                        window_update(0, 0x7000_0000),
                    ]
                    .concat(),
                )
                .server(
                    [window_update(0, 15_663_105), headers(1, 0, OK), window_update(1, 5), window_update(1, 6)]
                        .concat(),
                )
        }),
        both("priorities, old and new", |case| {
            open(case)
                .child(frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 9]))
                .child(frame(0x10, 0, 0, b"\0\0\0\x05u=1, i"))
                .child(headers(5, END_STREAM, &[GET, &[("priority", "u=0")]].concat()))
                .server(headers(5, END_STREAM, &[(":status", "200"), ("priority", "u=7")]))
                .child(frame(PRIORITY, 0, 5, &[0x80, 0, 0, 3, 0]))
        }),
        both("frames of types that nobody knows", |case| {
            open(case)
                .child(
                    [unknown(0xff, 0, b""), headers(1, 0, POST), unknown(0, 1, b"one"), unknown(1, 77, b"two")]
                        .concat(),
                )
                .server([unknown(0xff, 0, &[7; 16_384]), headers(1, 0, OK), unknown(1, 1, b"three")].concat())
                .child([frame(0xa, 0, 0, b"\0\0altsvc"), frame(0xc, 0, 0, b"origin")].concat())
                .server([frame(0xa, 0, 1, b"\0\0h2=\":443\""), data(1, END_STREAM, "")].concat())
        }),
    ]
    .concat()
}

fn ends() -> Vec<Case> {
    [
        both("a graceful end of the server", |case| {
            let bye = |last: u32, text: &[u8]| frame(GOAWAY, 0, 0, &[&last.to_be_bytes(), &[0; 4], text].concat());
            open(case)
                .child(headers(1, END_STREAM, GET))
                .server(bye(0x7fff_ffff, b""))
                .server(frame(PING, 0, 0, &[9; 8]))
                .child([headers(3, END_STREAM, GET), frame(PING, ACK, 0, &[9; 8])].concat())
                .server([bye(3, b"see you"), headers(3, END_STREAM, OK), headers(1, END_STREAM, OK)].concat())
                .end_of("server")
        }),
        both("GOAWAY with a code and words", |case| {
            let angry = frame(GOAWAY, 0, 0, &[&[0, 0, 0, 1, 0, 0, 0, 11][..], b"too many pings"].concat());
            open(case).child(headers(1, END_STREAM, GET)).server(&angry).end_of("server")
        }),
        both("GOAWAY of the child", |case| {
            let done = frame(GOAWAY, 0, 0, &[0; 8]);
            open(case)
                .child(headers(1, END_STREAM, GET))
                .child(&done)
                .server(headers(1, END_STREAM, OK))
                .end_of("child")
        }),
        vec![
            open(h2c("a reset of the child").only_verbatim()).child(headers(1, 0, POST)).reset_of("child"),
            open(h2c("a reset of the server").only_verbatim()).child(headers(1, 0, POST)).reset_of("server"),
            open(h2("a reset of the child over TLS").only_verbatim()).child(headers(1, 0, POST)).reset_of("child"),
            open(h2("a reset of the server over TLS").only_verbatim()).child(headers(1, 0, POST)).reset_of("server"),
            open(h2("a child that has sent all").only_verbatim())
                .child(headers(1, END_STREAM, GET))
                .end_of("child")
                .server([headers(1, 0, OK), data(1, END_STREAM, "ok")].concat()),
        ],
        both("mebibytes each way", |case| {
            let piece = data(1, 0, &"0123456789abcdef".repeat(1024));
            open(case)
                .child(headers(1, 0, POST))
                .then("fill", json!(["child", bytes(&piece), 256]))
                .server(headers(1, 0, OK))
                .then("fill", json!(["server", bytes(&piece), 256]))
        }),
        both("byte by byte", |case| {
            case.then("drip", json!(["child", bytes([PREFACE, &settings(&[]), &headers(1, END_STREAM, GET)].concat())]))
                .then(
                    "drip",
                    json!([
                        "server",
                        bytes([settings(&[(3, 9)]), headers(1, 0, OK), data(1, END_STREAM, "ok")].concat())
                    ]),
                )
        }),
    ]
    .concat()
}

/// Header tables are the ends' own.
fn tables() -> Vec<Case> {
    let get = |stream, block: &[u8]| {
        frame(HEADERS, END_STREAM | END_HEADERS, stream, &[&[0x82, 0x84, 0x87][..], block].concat())
    };
    let named = b"\x41\x0cconform.test";
    [
        both("entries that later blocks refer to", |case| {
            open(case)
                .child(get(1, &[&named[..], b"\x40\x01a\x01b"].concat()))
                .server(frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x88\x40\x01c\x01d"))
                .child(get(3, &[0xbf, 0xbe]))
                .server(frame(HEADERS, END_STREAM | END_HEADERS, 3, &[0x88, 0xbe]))
        }),
        both("Huffman codes, values that are never indexed, and sizes", |case| {
            open(case)
                .child(get(1, b"\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff\x10\x01s\x01t"))
                .server(frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x88\x10\x01s\x01t"))
        }),
        both("a table that is made smaller and larger", |case| {
            let first = [b"\x3f\xe1\xff\x03\x82\x84\x87", &named[..]].concat();
            let first = frame(HEADERS, END_STREAM | END_HEADERS, 1, &first);
            open_with(case, &[(1, 0)], &[(1, 100_000)])
                .child(first)
                .server(frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x20\x88\x40\x01c\x01d"))
                .child(settings(&[(1, 4096)]))
                .server(settings_ack())
                .child(get(3, &[0xbe]))
                .server(frame(HEADERS, END_STREAM | END_HEADERS, 3, b"\x20\x3f\xe1\x1f\x88\x40\x01c\x01d"))
                .child(get(5, &[0xbe]))
                .server(frame(HEADERS, END_STREAM | END_HEADERS, 5, &[0x88, 0xbe]))
        }),
    ]
    .concat()
}

/// Each code there is, and one that there is not, both ways.
fn resets() -> Vec<Case> {
    both("all codes of resets", |case| {
        (0..=14).fold(open(case), |case, code| {
            let (child, server) = (4 * code + 1, 4 * code + 3);
            case.child([headers(child, 0, POST), reset(child, code), headers(server, 0, POST)].concat())
                .server([headers(server, 0, OK), data(server, 0, "x"), reset(server, code)].concat())
        })
    })
}

fn head(stream: u32, fields: Fields<'_>, ends: bool) -> Value {
    json!(["head", stream, fields, ends])
}

fn body(stream: u32, content: &str, ends: bool) -> Value {
    json!(["data", stream, content, ends])
}

/// A connection of two ends that understand each other.
fn talk(case: Case, child: &[(u16, u32)], server: &[(u16, u32)]) -> Case {
    case.then("h2", json!([child, server]))
}

#[test]
fn what_is_meant_arrives_over_both_carriers() {
    let cases: Vec<Case> = [h2 as fn(&str) -> Case, h2c]
        .into_iter()
        .flat_map(|over| [exchanges(over), fields(over), limits(over)].concat())
        .collect();
    let stage = Stage::new();
    for carrier in CARRIERS {
        let session = stage.session(carrier, &[]);
        stage.play(&session, carrier, &cases);
        session.down();
    }
}

fn exchanges(over: fn(&str) -> Case) -> Vec<Case> {
    let fresh = |name: &str| talk(over(name), &[], &[(3, 100)]);
    vec![
        fresh("a request and its response")
            .meant("child", json!([head(1, GET, true)]))
            .meant("server", json!([head(1, OK, false), body(1, "ok", true)])),
        fresh("bodies each way at once, piece by piece")
            .meant("child", json!([head(1, POST, false)]))
            .meant("server", json!([head(1, OK, false)]))
            .meant("child", json!([body(1, "one", false)]))
            .meant("server", json!([body(1, "ONE", false)]))
            .meant("child", json!([body(1, "two", false)]))
            .meant("server", json!([body(1, "TWO", false)]))
            .meant("child", json!([body(1, "", true)]))
            .meant("server", json!([body(1, "", true)])),
        fresh("trailers each way, and alone")
            .meant("child", json!([head(1, POST, false), body(1, "x", false), head(1, &[("x-sum", "1")], true)]))
            .meant("server", json!([head(1, OK, false), body(1, "y", false), head(1, &[("grpc-status", "0")], true)]))
            .meant("child", json!([head(3, GET, true)]))
            .meant("server", json!([head(3, &[(":status", "200"), ("grpc-status", "12")], true)])),
        fresh("informational responses")
            .meant("child", json!([head(1, &[POST, &[("expect", "100-continue")]].concat(), false)]))
            .meant("server", json!([head(1, &[(":status", "100")], false)]))
            .meant("child", json!([body(1, "x", true)]))
            .meant("server", json!([head(1, &[(":status", "103"), ("link", "</a>")], false)]))
            .meant("server", json!([head(1, &[(":status", "103"), ("link", "</b>")], false)]))
            .meant("server", json!([head(1, OK, true)])),
    ]
}

fn fields(over: fn(&str) -> Case) -> Vec<Case> {
    let fresh = |name: &str| talk(over(name), &[], &[(3, 100)]);
    vec![
        fresh("fields as they are")
            .meant(
                "child",
                json!([head(
                    1,
                    &[
                        GET,
                        &[
                            ("priority", "u=0, i"),
                            ("te", "trailers"),
                            ("x-empty", ""),
                            ("x-bin", "AAECAw"),
                            ("cookie", "a=1"),
                            ("cookie", "b=2")
                        ]
                    ]
                    .concat(),
                    true
                )]),
            )
            .meant(
                "server",
                json!([head(
                    1,
                    &[
                        (":status", "299"),
                        ("set-cookie", "a"),
                        ("set-cookie", "b"),
                        ("date", "now"),
                        ("content-length", "0")
                    ],
                    true
                )]),
            ),
        fresh("HEAD, 204 and 304")
            .meant(
                "child",
                json!([head(
                    1,
                    &[(":method", "HEAD"), (":scheme", "https"), (":authority", "conform.test"), (":path", "/")],
                    true
                )]),
            )
            .meant("server", json!([head(1, &[(":status", "200"), ("content-length", "9")], true)]))
            .meant("child", json!([head(3, GET, true)]))
            .meant("server", json!([head(3, &[(":status", "204")], true)]))
            .meant("child", json!([head(5, GET, true)]))
            .meant("server", json!([head(5, &[(":status", "304"), ("etag", "\"x\"")], true)])),
        fresh("streams at once, answered in another order")
            .meant("child", json!([head(1, GET, true)]))
            .meant("child", json!([head(3, POST, false)]))
            .meant("child", json!([head(5, GET, true)]))
            .meant("server", json!([head(5, OK, false), body(5, "five", false), head(1, OK, true)]))
            .meant("child", json!([body(3, "three", true)]))
            .meant("server", json!([head(3, OK, true), body(5, "", true)])),
        fresh("a response before the request is over, and no more of it wanted")
            .meant("child", json!([head(1, POST, false), body(1, "half", false)]))
            .meant("server", json!([head(1, OK, true), ["reset", 1, 0]]))
            .meant("child", json!([head(3, GET, true)]))
            .meant("server", json!([head(3, OK, true)])),
    ]
}

fn limits(over: fn(&str) -> Case) -> Vec<Case> {
    let fresh = |name: &str| talk(over(name), &[], &[(3, 100)]);
    let connect = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/chat"),
        (":authority", "conform.test"),
    ];
    let codes = (0..14).fold(fresh("all codes of resets"), |case, code| {
        let (child, server) = (4 * code + 1, 4 * code + 3);
        let case =
            case.meant("child", json!([head(child, POST, false)])).meant("child", json!([["reset", child, code]]));
        // A server's NO_ERROR follows its answer.
        case.meant("child", json!([head(server, POST, false)]))
            .meant("server", json!([head(server, OK, code == 0)]))
            .meant("server", json!([["reset", server, code]]))
    });
    vec![
        codes,
        fresh("a child that stalls the server")
            .meant("child", json!([head(1, GET, true)]))
            .meant("server", json!([head(1, OK, false)]))
            .then("stall", json!(["server", 1, "0123456789abcdef", 1 << 18])),
        fresh("a server that stalls the child")
            .meant("child", json!([head(1, POST, false)]))
            .then("stall", json!(["child", 1, "0123456789abcdef", 1 << 18]))
            .meant("server", json!([head(1, OK, true)])),
        talk(over("the server's limits are the child's"), &[], &[(3, 7), (8, 1)])
            .then("setting", json!(["child", 3, 7]))
            .then("setting", json!(["child", 8, 1])),
        talk(over("extended CONNECT"), &[], &[(3, 100), (8, 1)])
            .meant("child", json!([head(1, &connect, false)]))
            .meant("server", json!([head(1, OK, false)]))
            .meant("child", json!([body(1, "hello", false)]))
            .meant("server", json!([body(1, "olleh", false)]))
            .meant("child", json!([body(1, "", true)]))
            .meant("server", json!([body(1, "", true)])),
        fresh("CONNECT")
            .meant("child", json!([head(1, &[(":method", "CONNECT"), (":authority", "a.test:443")], false)]))
            .meant("server", json!([head(1, OK, false)]))
            .meant("child", json!([body(1, "x", false)]))
            .meant("server", json!([body(1, "y", true)]))
            .meant("child", json!([body(1, "", true)])),
    ]
}

#[test]
fn what_breaks_a_connection_ends_it_with_its_code() {
    const PROTOCOL: u32 = 1;
    const FRAME_SIZE: u32 = 6;
    const COMPRESSION: u32 = 9;
    let get = headers(1, END_STREAM, GET);
    let open_block = frame(HEADERS, 0, 1, &block(GET));
    let table: Vec<(&str, Vec<u8>, &[u32])> = vec![
        ("a reference to no entry", frame(HEADERS, END_HEADERS, 1, &[0x82, 0xff, 0x7f]), &[COMPRESSION]),
        ("a table size that was not allowed", frame(HEADERS, END_HEADERS, 1, b"\x3f\xe1\xff\x03\x82"), &[COMPRESSION]),
        ("a block that is cut", frame(HEADERS, END_HEADERS, 1, &[0x00, 0x05, b'a']), &[COMPRESSION]),
        ("a Huffman code that is padded too much", frame(HEADERS, END_HEADERS, 1, b"\0\x81\xff\x01a"), &[COMPRESSION]),
        ("an even stream", headers(2, END_STREAM, GET), &[PROTOCOL]),
        ("a stream of number 0", headers(0, END_STREAM, GET), &[PROTOCOL]),
        ("data of a stream that is not open", data(1, 0, "x"), &[PROTOCOL]),
        ("data of no stream", data(0, 0, "x"), &[PROTOCOL]),
        ("CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, &block(GET)), &[PROTOCOL]),
        ("data within a block", [open_block.clone(), data(1, 0, "x")].concat(), &[PROTOCOL]),
        ("PING within a block", [open_block.clone(), frame(PING, 0, 0, &[0; 8])].concat(), &[PROTOCOL]),
        ("another stream within a block", [open_block, frame(CONTINUATION, END_HEADERS, 3, &[])].concat(), &[PROTOCOL]),
        (
            "PUSH_PROMISE of a child",
            [get.clone(), frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])].concat(),
            &[PROTOCOL],
        ),
        ("more padding than payload", [headers(1, 0, POST), frame(DATA, PADDED, 1, &[9, 0])].concat(), &[PROTOCOL]),
        ("more padding than block", frame(HEADERS, END_HEADERS | PADDED, 1, &[9, 0x82]), &[PROTOCOL]),
        ("a frame that is too large", [headers(1, 0, POST), data(1, 0, &"x".repeat(16_385))].concat(), &[FRAME_SIZE]),
        ("SETTINGS that are cut", frame(SETTINGS, 0, 0, &[0, 1, 0]), &[FRAME_SIZE]),
        (
            "RST_STREAM of the wrong size",
            [headers(1, 0, POST), frame(RST_STREAM, 0, 1, &[0; 3])].concat(),
            &[FRAME_SIZE],
        ),
        ("WINDOW_UPDATE of the wrong size", frame(WINDOW_UPDATE, 0, 0, &[0; 5]), &[FRAME_SIZE]),
    ];
    // The server judges these itself where they arrive as they are.
    let passed: Vec<(&str, Vec<u8>, &[u32])> = vec![
        ("an acknowledgement with settings", frame(SETTINGS, ACK, 0, &[0; 6]), &[FRAME_SIZE]),
        ("SETTINGS of a stream", frame(SETTINGS, 0, 1, &[]), &[PROTOCOL]),
        ("GOAWAY of the wrong size", frame(GOAWAY, 0, 0, &[0; 4]), &[FRAME_SIZE]),
        ("PING of the wrong size", frame(PING, 0, 0, &[0; 7]), &[FRAME_SIZE]),
        ("a reset of a stream that is not open", reset(1, 8), &[PROTOCOL]),
    ];
    let ended = |(name, bytes, codes): &(&str, Vec<u8>, &[u32])| {
        let sent = [PREFACE, &settings(&[]), bytes].concat();
        h2(name).ask(sent).then("server_ready", json!([])).then("ends_with", json!(codes))
    };
    // h2 resets the stream alone.
    let again =
        ("a second request on a stream", [headers(1, 0, POST), headers(1, END_STREAM, GET)].concat(), &[PROTOCOL][..]);
    // For most of these h2 knows but one code.
    let coarse = |(name, bytes, _): &(&'static str, Vec<u8>, &[u32])| {
        ended(&(*name, bytes.clone(), &[PROTOCOL, FRAME_SIZE, COMPRESSION])).only_terminate()
    };
    let ends = table
        .iter()
        .chain([&again])
        .map(|case| ended(case).only_verbatim())
        .chain(table.iter().map(coarse))
        .chain(passed.iter().map(coarse));
    let passes =
        passed.iter().map(|(name, bytes, _)| h2(name).only_verbatim().child([PREFACE, &settings(&[]), bytes].concat()));
    let cases: Vec<Case> = ends.chain(passes).collect();
    let stage = Stage::new();
    for carrier in CARRIERS {
        let session = stage.session(carrier, &[]);
        stage.play(&session, carrier, &cases);
        session.down();
    }
}

#[test]
fn a_malformed_request_is_reset_and_leaves_the_others_as_they_are() {
    let with = |extra: Fields<'_>| block(&[GET, extra].concat());
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("no method", block(&GET[1..])),
        ("no path", block(&GET[..3])),
        ("no scheme", block(&[GET[0], GET[2], GET[3]])),
        ("a pseudo-header twice", with(&[(":path", "/b")])),
        ("a pseudo-header of responses", with(&[(":status", "200")])),
        ("a pseudo-header that nobody knows", with(&[(":x", "1")])),
        ("a pseudo-header after others", block(&[&GET[..3], &[("x", "1"), (":path", "/")]].concat())),
        ("capitals in a name", with(&[("Upper", "case")])),
        ("a space in a name", with(&[("a b", "c")])),
        ("an empty name", with(&[("", "c")])),
        ("a line end in a value", with(&[("x", "a\r\nb: c")])),
        ("a NUL in a value", with(&[("x", "a\0b")])),
        ("Connection", with(&[("connection", "close")])),
        ("Transfer-Encoding", with(&[("transfer-encoding", "chunked")])),
        ("Upgrade", with(&[("upgrade", "h2c")])),
        ("TE of something else", with(&[("te", "gzip")])),
        ("two lengths", with(&[("content-length", "1"), ("content-length", "2")])),
    ];
    let malformed = |(name, block): &(&str, Vec<u8>)| {
        let broken = frame(HEADERS, END_STREAM | END_HEADERS, 3, block);
        open(h2(name).only_verbatim())
            .child(headers(1, 0, POST))
            .ask(broken)
            .frame(RST_STREAM, 3, 1_u32.to_be_bytes())
            .child(data(1, END_STREAM, "x"))
            .server(headers(1, END_STREAM, OK))
    };
    // What h2 takes for malformed it resets as well, or ends the connection.
    let ended = |(name, block): &(&str, Vec<u8>)| {
        let broken = frame(HEADERS, END_STREAM | END_HEADERS, 1, block);
        h2(name)
            .only_terminate()
            .ask([PREFACE, &settings(&[]), &broken].concat())
            .then("server_ready", json!([]))
            .then("refused", json!([]))
    };
    let cases: Vec<Case> = table.iter().flat_map(|case| [malformed(case), ended(case)]).collect();
    let stage = Stage::new();
    for carrier in CARRIERS {
        let session = stage.session(carrier, &[]);
        stage.play(&session, carrier, &cases);
        session.down();
    }
}

#[test]
fn a_request_that_is_refused_leaves_all_other_streams_as_they_are() {
    let connect: Fields<'_> = &[(":method", "CONNECT"), (":authority", "a.test:443")];
    let first = frame(HEADERS, END_HEADERS, 1, b"\x83\x84\x87\x41\x0cconform.test");
    let after = frame(HEADERS, END_STREAM | END_HEADERS, 5, b"\x82\x84\x87\xbe");
    let again = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "conform.test")];
    let again = frame(HEADERS, END_STREAM | END_HEADERS, 5, &[&[0x20][..], &block(&again)].concat());
    let frames = open(h2("in frames").only_verbatim())
        .child(first)
        .server([headers(1, 0, OK), data(1, 0, "first")].concat())
        .ask(headers(3, 0, connect))
        .frame(HEADERS, 3, block(&[(":status", "403")]))
        .ask(data(3, 0, &"x".repeat(16_384)))
        .frame(WINDOW_UPDATE, 3, 16_384_u32.to_be_bytes())
        .ask(after)
        .then("sees", json!(["server", bytes(again)]))
        .child(data(1, END_STREAM, "last"))
        .server([headers(5, END_STREAM, OK), data(1, END_STREAM, "last")].concat());
    let meant = talk(h2("in what is meant"), &[], &[(3, 100)])
        .meant("child", json!([head(1, POST, false)]))
        .meant("server", json!([head(1, OK, false), body(1, "first", false)]))
        .then("refused_stream", json!([3, head(3, connect, true), "403"]))
        .meant("child", json!([body(1, "last", true)]))
        .meant("server", json!([body(1, "last", true)]));
    let stage = Stage::new();
    for carrier in CARRIERS {
        let session = stage.session(carrier, &["--mode", "enforce"]);
        stage.play(&session, carrier, &[frames.clone(), meant.clone()]);
        session.down();
    }
}

#[test]
fn floods_are_bounded() {
    let start = [PREFACE, &settings(&[])].concat();
    let with = |rest: Vec<u8>| [start.clone(), rest].concat();
    let continuation = frame(CONTINUATION, 0, 1, &[0; 16_384]);
    let begun = h2("CONTINUATION").ask(with(frame(HEADERS, 0, 1, &block(GET)))).then("server_ready", json!([]));
    let resets: Vec<u8> =
        (0..60_000).flat_map(|at| [headers(2 * at + 1, 0, POST), reset(2 * at + 1, 8)].concat()).collect();
    let flood = |name: &str, frame: Vec<u8>| {
        h2(name).ask(&start).then("server_ready", json!([])).then("flood", json!([bytes(frame), 1_500_000]))
    };
    let floods = [
        begun.then("ask", json!([bytes(continuation), 256])).then("left", json!(["child"])),
        h2("rapid reset").ask(&start).then("server_ready", json!([])).then("flood", json!([bytes(resets), 1])),
        flood("settings", settings(&[(4, 65_535)])),
        flood("pings", frame(PING, 0, 0, &[7; 8])),
        flood("priorities", frame(PRIORITY, 0, 3, &[0; 5])),
        flood("empty data", data(1, 0, "")),
    ];
    let sound = [talk(h2("afterwards"), &[], &[(3, 9)])
        .meant("child", json!([head(1, GET, true)]))
        .meant("server", json!([head(1, OK, true)]))];
    let stage = Stage::new();
    for carrier in CARRIERS {
        let mut session = stage.session(carrier, &[]);
        stage.play(&session, carrier, &sound);
        let worker = session.worker();
        let before = peak_kib(worker);
        stage.play(&session, carrier, &floods);
        stage.play(&session, carrier, &sound);
        assert_eq!(session.worker(), worker);
        let grown = peak_kib(worker) - before;
        assert!(grown < GROWTH_KIB, "{carrier}: the worker grew by {grown} KiB from {before} KiB");
        session.down();
    }
}
