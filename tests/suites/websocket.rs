//! WebSockets (RFC 6455) over HTTP/1.1, where they follow an upgrade, and over HTTP/2 (RFC 8441), where they are a stream.
//! What is sent arrives as it is, sound or not: it is for the ends to judge.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use serde_json::json;
use tests::h2::{DATA, Fields, PREFACE, frame, headers, settings, settings_ack};
use tests::play::{CARRIERS, Case, Stage, bytes, h2, h2c, http, https};

const FIN: u8 = 0x80;
/// The bit that permessage-deflate (RFC 7692) sets.
const RSV1: u8 = 0x40;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A frame's head, with the length in as many bytes as it takes.
fn announce(first: u8, mask: bool, length: usize) -> Vec<u8> {
    let bit = u8::from(mask) << 7;
    match length {
        0..126 => vec![first, bit | u8::try_from(length).unwrap()],
        126..65_536 => [&[first, bit | 126][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
        _ => [&[first, bit | 127][..], &(length as u64).to_be_bytes()].concat(),
    }
}

/// A frame of a child, masked.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0xa1, 0, 0x0d, 0x0a];
    let hidden: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    [announce(first, true, payload.len()), key.to_vec(), hidden].concat()
}

/// A frame of a server.
fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    [announce(first, false, payload.len()), payload.to_vec()].concat()
}

fn close(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat()
}

/// One after the other, who sends what.
type Talk = Vec<(&'static str, Vec<u8>)>;

fn talks() -> Vec<(&'static str, Talk)> {
    let large = vec![b'x'; 70_000];
    vec![
        ("text and its echo", vec![("child", masked(FIN | TEXT, b"hello")), ("server", plain(FIN | TEXT, b"hello"))]),
        (
            "fragments, with control frames between them",
            vec![
                ("child", masked(TEXT, b"frag")),
                ("child", masked(FIN | PING, b"there?")),
                ("server", plain(FIN | PONG, b"there?")),
                ("child", masked(CONTINUATION, b"")),
                ("child", masked(FIN | CONTINUATION, b"ments")),
                ("server", [plain(BINARY, &[0, 1]), plain(FIN | PING, b""), plain(FIN | CONTINUATION, &[2])].concat()),
                ("child", masked(FIN | PONG, b"")),
                ("server", plain(FIN | PONG, b"unasked")),
            ],
        ),
        (
            "permessage-deflate",
            vec![
                ("child", masked(FIN | RSV1 | TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00")),
                ("server", plain(RSV1 | TEXT, b"\xf2\x48\xcd")),
                ("server", plain(FIN | CONTINUATION, b"\xc9\xc9\x07\x00")),
            ],
        ),
        (
            "large messages",
            vec![
                ("child", masked(FIN | BINARY, &large[..200])),
                ("server", plain(FIN | BINARY, &large[..65_535])),
                ("child", masked(FIN | BINARY, &large)),
                ("server", plain(FIN | BINARY, &large)),
            ],
        ),
        (
            "what no end should send",
            vec![
                ("child", plain(FIN | TEXT, b"not masked")),
                ("server", masked(FIN | TEXT, b"masked")),
                ("child", masked(FIN | 0x70 | 0x0f, b"all bits")),
                ("server", plain(PING, b"a control frame in fragments")),
                ("child", masked(FIN | PING, &[0; 126])),
                ("server", plain(FIN | TEXT, b"\xff\xfe no text")),
                ("child", masked(FIN | CONTINUATION, b"of nothing")),
                ("server", vec![FIN | BINARY, 126, 0, 1, 7]),
                ("child", vec![FIN | BINARY, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]),
                ("server", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
            ],
        ),
        (
            "a normal close",
            vec![
                ("child", masked(FIN | CLOSE, &close(1000, "bye"))),
                ("server", plain(FIN | CLOSE, &close(1000, "bye"))),
            ],
        ),
        ("a close without a code", vec![("server", plain(FIN | CLOSE, b"")), ("child", masked(FIN | CLOSE, b""))]),
        (
            "codes and reasons of their own",
            [1001_u16, 1002, 1007, 1009, 1011, 3000, 4999, 1005, 0]
                .into_iter()
                .map(|code| ("server", plain(FIN | CLOSE, &close(code, "\u{dc}ber"))))
                .collect(),
        ),
    ]
}

fn over_http1(case: Case, talk: &Talk) -> Case {
    let ask = "GET /chat HTTP/1.1\r\nHost: conform.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
               Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
    let agree = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let open = case.child(ask).server(agree);
    let said = talk.iter().fold(open, |case, (who, frame)| case.then(who, json!([bytes(frame)])));
    said.end_of("server").end_of("child")
}

const CONNECT: Fields<'_> = &[
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "https"),
    (":path", "/chat"),
    (":authority", "conform.test"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-extensions", "permessage-deflate"),
];
const OK: Fields<'_> = &[(":status", "200"), ("sec-websocket-extensions", "permessage-deflate")];

/// A stream, by what it carries.
fn over_http2(case: Case, talk: &Talk) -> Case {
    let open = case
        .then("h2", json!([[], [[3, 100], [8, 1]]]))
        .meant("child", json!([["head", 1, CONNECT, false]]))
        .meant("server", json!([["head", 1, OK, false]]));
    let said = talk.iter().fold(open, |case, (who, frame)| case.meant(who, json!([["data", 1, bytes(frame), false]])));
    said.meant("server", json!([["data", 1, "", true]])).meant("child", json!([["data", 1, "", true]]))
}

/// A stream, frame by frame.
fn over_frames(case: Case, talk: &Talk) -> Case {
    let open = case
        .child([PREFACE, &settings(&[(5, 100_000)]), &headers(1, 0, CONNECT)].concat())
        .server([settings(&[(5, 100_000), (8, 1)]), settings_ack(), headers(1, 0, OK)].concat())
        .child(settings_ack());
    talk.iter().fold(open, |case, (who, bytes_)| case.then(who, json!([bytes(frame(DATA, 0, 1, bytes_))])))
}

#[test]
fn what_is_sent_arrives_over_every_version_and_carrier() {
    let cases: Vec<Case> = talks()
        .iter()
        .flat_map(|(name, talk)| {
            [
                over_http1(https(name), talk),
                over_http1(http(name), talk),
                over_http2(h2(name), talk),
                over_http2(h2c(name), talk),
                over_frames(h2(name).only_verbatim(), talk),
            ]
        })
        .collect();
    let stage = Stage::new();
    // What a WebSocket carries is read, so that it may pass in either mode.
    for (carrier, mode) in
        CARRIERS.into_iter().zip(["enforce", "observe"]).chain(CARRIERS.into_iter().zip(["observe", "enforce"]))
    {
        let session = stage.session(carrier, &["--mode", mode]);
        stage.play(&session, carrier, &cases);
        session.down();
    }
}
