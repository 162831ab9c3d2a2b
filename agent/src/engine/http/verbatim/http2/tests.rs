//! Playbooks of HTTP/2 connections, in frames, with bytes coming whole, in threes and one by one.

use std::sync::atomic::Ordering;

use super::*;
use crate::engine::event::Event;
use crate::engine::http::Field;
use crate::engine::http::reply::UNWANTED;
use crate::engine::http::verbatim::playbook::{Book, Play, is_the_same_in_pieces, origin, survives};
use crate::engine::policy::Mode;
use crate::engine::wire::h2::{ACK, END_HEADERS, END_STREAM, Frame, PADDED, PREFACE, PRIORITY};
use crate::engine::wire::hpack;

const SEGMENTS: [usize; 3] = [usize::MAX, 3, 1];
const PING: u8 = 6;

fn plays(mode: Mode) -> impl Iterator<Item = Play<Http2>> {
    SEGMENTS.into_iter().map(move |segment| {
        let book = Book::new(mode);
        let mut play = Play::new(Http2::new(book.clone(), ConnectionId(1), origin()), book, segment);
        play.child(&[PREFACE, &frame(Kind::Settings, 0, 0, &[])].concat());
        play.server(&frame(Kind::Settings, 0, 0, &[]));
        play.upstream();
        play.downstream();
        play
    })
}

fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    Frame { length: payload.len(), kind, flags, stream }.write(payload, &mut out);
    out.to_vec()
}

fn block(fields: &[(&'static str, &'static str)]) -> Vec<u8> {
    let fields: Vec<Field> = fields.iter().map(|(name, value)| Field::new(*name, *value)).collect();
    let mut block = Vec::new();
    hpack::encode(&fields, &mut block);
    block
}

/// `GET https://h/`, as `:authority` puts it into the table: the first of a connection, or one after it.
fn get(stream: u32, flags: u8, first: bool) -> Vec<u8> {
    let authority: &[u8] = if first { &[0x41, 1, b'h'] } else { &[0xbe] };
    frame(Kind::Headers, flags | END_HEADERS, stream, &[&[0x82, 0x84, 0x87], authority].concat())
}

fn post(stream: u32) -> Vec<u8> {
    let fields = [(":method", "POST"), (":scheme", "https"), (":path", "/"), (":authority", "h")];
    frame(Kind::Headers, END_HEADERS, stream, &block(&fields))
}

fn connect(stream: u32, flags: u8) -> Vec<u8> {
    let fields = [(":method", "CONNECT"), (":authority", "a.test:443")];
    frame(Kind::Headers, flags | END_HEADERS, stream, &block(&fields))
}

fn ok(stream: u32, flags: u8) -> Vec<u8> {
    frame(Kind::Headers, flags | END_HEADERS, stream, &[0x88])
}

fn data(stream: u32, flags: u8, length: usize) -> Vec<u8> {
    frame(Kind::Data, flags, stream, &vec![b'd'; length])
}

fn room(stream: u32, bytes: u32) -> Vec<u8> {
    frame(Kind::WindowUpdate, 0, stream, &bytes.to_be_bytes())
}

/// The frames in `bytes`: kind, flags, stream and payload.
fn frames(mut bytes: &[u8]) -> Vec<(Kind, u8, u32, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some(frame) = Frame::read(bytes) {
        let (payload, rest) = bytes[HEAD..].split_at(frame.length);
        frames.push((frame.kind, frame.flags, frame.stream, payload.to_vec()));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "half a frame");
    frames
}

#[test]
fn frames_pass_unchanged_and_in_order() {
    let trailers = block(&[("grpc-status", "0")]);
    let half = trailers.len() / 2;
    let child = [
        frame(Kind::Settings, ACK, 0, &[]),
        get(1, END_STREAM, true),
        frame(Kind::Headers, PADDED | PRIORITY, 3, &[&[2, 0, 0, 0, 1, 15][..], &[0x83], &[0, 0]].concat()),
        frame(Kind::Continuation, END_HEADERS, 3, &[0x84, 0x87, 0xbe]),
        room(0, 1000),
        room(3, 1000),
        frame(Kind::Data, PADDED, 3, b"\x03abc\0\0\0"),
        data(3, 0, 0),
        data(3, END_STREAM, 16_384),
        frame(Kind::Other(PING), 0, 0, &[7; 8]),
        frame(Kind::Other(2), 0, 3, &[0, 0, 0, 0, 9]),
        frame(Kind::Other(0x10), 0, 0, b"\0\0\0\x03u=1"),
        frame(Kind::Other(0xfa), 0xff, 99, b"unknown"),
        get(5, END_STREAM, false),
        frame(Kind::RstStream, 0, 5, &8_u32.to_be_bytes()),
    ];
    let server = [
        frame(Kind::Settings, 0, 0, &[0, 3, 0, 0, 0, 100, 0, 8, 0, 0, 0, 1]),
        frame(Kind::Settings, ACK, 0, &[]),
        frame(Kind::Headers, END_HEADERS, 1, &block(&[(":status", "103"), ("link", "</a>")])),
        ok(1, 0),
        data(1, 0, 5),
        frame(Kind::Headers, END_STREAM, 1, &trailers[..half]),
        frame(Kind::Continuation, END_HEADERS, 1, &trailers[half..]),
        ok(3, END_STREAM),
        // Stream 5 was reset; the server could not know.
        ok(5, 0),
        data(5, END_STREAM, 3),
        frame(Kind::Other(PING), ACK, 0, &[7; 8]),
        frame(Kind::GoAway, 0, 0, &[0, 0, 0, 5, 0, 0, 0, 0, b'b', b'y', b'e']),
    ];
    for mut play in plays(Mode::Enforce) {
        play.child(&child.concat());
        assert_eq!(frames(&play.upstream()), frames(&child.concat()));
        play.server(&server.concat());
        assert_eq!(frames(&play.downstream()), frames(&server.concat()));
        let ends = play.book.ends();
        let [(None, Some(reset)), (Some(200), None), (Some(200), None)] = &ends[..] else { panic!("{ends:?}") };
        assert_eq!(reset, "downstream reset the stream: CANCEL");
        let counted =
            |event: &Event| matches!(event, Event::ExchangeFinished { request_bytes: 16_387, response_bytes: 0, .. });
        assert_eq!(play.book.events().iter().filter(|event| counted(event)).count(), 1);
        assert_eq!(play.passage.fate(), Fate::Open);
    }
}

#[test]
fn a_refused_request_leaves_the_others_as_they_are() {
    for mut play in plays(Mode::Enforce) {
        play.child(&[get(1, END_STREAM, true), connect(3, 0), data(3, 0, 70), get(5, END_STREAM, false)].concat());
        let upstream = frames(&play.upstream());
        let [first, second] = &upstream[..] else { panic!("{upstream:?}") };
        assert_eq!((first.2, second.2, second.1), (1, 5, END_STREAM | END_HEADERS));
        // What the first request put into the table is no longer referred to.
        let mut decoder = hpack::Decoder::new(1000);
        decoder.decode(&first.3).unwrap();
        assert_eq!(second.3[0], 0x20);
        assert_eq!(decoder.decode(&second.3).unwrap()[3], Field::new(":authority", "h"));
        let downstream = frames(&play.downstream());
        let kinds: Vec<_> = downstream.iter().map(|frame| (frame.0, frame.2)).collect();
        assert_eq!(kinds, [(Kind::Headers, 3), (Kind::Data, 3), (Kind::WindowUpdate, 0), (Kind::WindowUpdate, 3)]);
        let head = hpack::Decoder::new(1000).decode(&downstream[0].3).unwrap();
        assert_eq!(head[0], Field::new(":status", "403"));
        assert_eq!(downstream[2].3, 70_u32.to_be_bytes());
        // The child's table is as the server believes it to be.
        play.server(&[ok(1, END_STREAM), ok(5, END_STREAM)].concat());
        assert_eq!(play.downstream(), [ok(1, END_STREAM), ok(5, END_STREAM)].concat());
        assert_eq!(play.book.ends(), [(Some(403), None), (Some(200), None), (Some(200), None)]);
    }
}

#[test]
fn an_answer_of_ours_waits_for_the_first_frame_of_the_server() {
    let settings = frame(Kind::Settings, 0, 0, &[]);
    for segment in SEGMENTS {
        let book = Book::new(Mode::Enforce);
        let mut play = Play::new(Http2::new(book.clone(), ConnectionId(1), origin()), book, segment);
        play.child(&[PREFACE, &settings, &connect(1, END_STREAM)].concat());
        // RFC 9113 section 3.4: what a server sends first is SETTINGS.
        assert_eq!(play.downstream(), b"");
        play.server(&settings);
        let kinds: Vec<Kind> = frames(&play.downstream()).iter().map(|frame| frame.0).collect();
        assert_eq!(kinds, [Kind::Settings, Kind::Headers, Kind::Data]);
    }
}

#[test]
fn who_was_refused_gets_room_for_what_they_still_send_and_is_asked_to_stop_after_much_of_it() {
    let window = |size: u32| [&[0, 4][..], &size.to_be_bytes()].concat();
    let much: Vec<Vec<u8>> = std::iter::repeat_n(data(3, 0, 16_384), UNWANTED / 16_384).collect();
    let (all, rest) = ([&much[..], &[data(3, 0, 9)]].concat(), much[1..].to_vec());
    for (settings, sent, roomy, resets) in [
        (window(65_535), vec![data(3, 0, 16_383)], 16_383, 0),
        (window(65_535), all, UNWANTED - 16_384, 1),
        (window(65_535), rest, UNWANTED - 16_384, 0),
        (window(65_535), vec![data(3, 0, 16_383), data(3, END_STREAM, 1)], 16_383, 0),
        (window(100), vec![data(3, 0, 100)], 100, 0),
        (window(0), vec![data(3, 0, 16_384)], 2 * 16_384, 0),
    ] {
        for mut play in plays(Mode::Enforce) {
            play.server(&frame(Kind::Settings, 0, 0, &settings));
            play.child(&[vec![connect(3, 0)], sent.clone()].concat().concat());
            let told = frames(&play.downstream());
            let reset = told.iter().filter(|frame| frame.0 == Kind::RstStream);
            assert_eq!(reset.map(|frame| frame.3.clone()).collect::<Vec<_>>(), vec![vec![0; 4]; resets], "{told:?}");
            let updates = told.iter().filter(|frame| (frame.0, frame.2) == (Kind::WindowUpdate, 3));
            let made = updates.map(|frame| u32::from_be_bytes(frame.3[..].try_into().unwrap()) as usize);
            assert_eq!(made.sum::<usize>(), roomy);
            assert_eq!(play.passage.fate(), Fate::Open);
        }
    }
}

#[test]
fn room_that_an_answer_took_is_not_given_to_the_server() {
    for mut play in plays(Mode::Enforce) {
        play.child(&[get(1, END_STREAM, true), connect(3, END_STREAM)].concat());
        let answer = frames(&play.downstream());
        let taken = u32::try_from(answer[1].3.len()).unwrap();
        play.upstream();
        // The server uses all the room that it knows of; the last of its data must wait for what we took.
        play.server(&[ok(1, 0), data(1, 0, 16_384), data(1, 0, 16_384), data(1, 0, 16_384)].concat());
        play.server(&data(1, 0, 16_383));
        assert_eq!(frames(&play.downstream()).len(), 4);
        assert!(!play.passage.wants(Direction::Response));
        play.child(&room(0, taken));
        assert_eq!(play.upstream(), b"");
        assert_eq!(frames(&play.downstream()), frames(&data(1, 0, 16_383)));
        play.child(&room(0, 100));
        assert_eq!(play.upstream(), room(0, 100));
    }
}

#[test]
fn an_answer_waits_for_the_end_of_the_frame_that_is_passing() {
    for mut play in plays(Mode::Enforce) {
        play.child(&get(1, END_STREAM, true));
        let body = data(1, 0, 100);
        play.server(&[ok(1, 0), body[..50].to_vec()].concat());
        play.child(&connect(3, END_STREAM));
        let before = play.downstream();
        assert_eq!(before, [ok(1, 0), body[..50].to_vec()].concat());
        play.server(&body[50..]);
        let after = play.downstream();
        assert_eq!(after[..59], body[50..]);
        assert_eq!(frames(&after[59..])[0].2, 3);
    }
}

#[test]
fn an_answer_without_room_has_no_body() {
    for mut play in plays(Mode::Enforce) {
        play.child(&frame(Kind::Settings, 0, 0, &[0, 4, 0, 0, 0, 0]));
        play.child(&connect(1, END_STREAM));
        let [(Kind::Headers, flags, 1, _)] = frames(&play.downstream())[..] else { panic!("not one frame") };
        assert_eq!(flags, END_HEADERS | END_STREAM);
    }
}

#[test]
fn an_answer_brings_the_table_size_that_is_due() {
    const LITERAL: u8 = 0;
    // A larger table than the server keeps is its own to announce; of several sizes the smallest must be.
    for (sizes, begins) in [(&[0_u32][..], 0x20), (&[16], 0x30), (&[8192], LITERAL), (&[0, 4096], 0x20), (&[], LITERAL)]
    {
        for mut play in plays(Mode::Enforce) {
            for size in sizes {
                play.child(&frame(Kind::Settings, 0, 0, &[&[0, 1][..], &size.to_be_bytes()].concat()));
                play.server(&frame(Kind::Settings, ACK, 0, &[]));
            }
            play.downstream();
            play.child(&connect(1, END_STREAM));
            assert_eq!(frames(&play.downstream())[0].3[0], begins, "{sizes:?}");
        }
    }
}

#[test]
fn a_malformed_request_is_reset_and_not_passed() {
    let well: [(&'static str, &'static str); 4] =
        [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "h")];
    let with = |field| [&well[..], &[field]].concat();
    let table = [
        (well[1..].to_vec(), "no :method"),
        (well[..1].to_vec(), "missing"),
        (with((":path", "/b")), "twice"),
        (with((":status", "200")), "unknown"),
        ([&[("a", "b")], &well[..]].concat(), "missing|no :method|after other fields"),
        (with(("Upper", "case")), "name"),
        (with(("", "empty")), "name"),
        (with(("a b", "space")), "name"),
        (with(("x", "a\r\nb")), "line end"),
        (with(("connection", "close")), "forbids"),
        (with(("transfer-encoding", "chunked")), "forbids"),
        (with(("te", "gzip")), "forbids"),
        ([with(("content-length", "1")), vec![("content-length", "2")]].concat(), "two Content-Length"),
        (vec![(":method", "CONNECT"), (":scheme", "https"), (":path", "/"), (":authority", "h")], "do not belong"),
    ];
    for (fields, reason) in table {
        for mut play in plays(Mode::Observe) {
            play.child(&frame(Kind::Headers, END_STREAM | END_HEADERS, 1, &block(&fields)));
            assert_eq!(play.upstream(), b"", "{fields:?}");
            assert_eq!(play.downstream(), frame(Kind::RstStream, 0, 1, &PROTOCOL_ERROR.to_be_bytes()), "{fields:?}");
            let refused = play.book.refused();
            assert!(reason.split('|').any(|reason| refused[0].contains(reason)), "{fields:?}: {refused:?}");
            play.child(&get(3, END_STREAM, true));
            assert_eq!(frames(&play.upstream())[0].2, 3);
        }
    }
}

#[test]
fn what_breaks_the_connection_ends_it_with_its_code() {
    let headers = |flags, stream, payload: &[u8]| frame(Kind::Headers, flags, stream, payload);
    let table = [
        (headers(END_HEADERS, 1, &[0xbe]), COMPRESSION_ERROR),
        (headers(END_HEADERS, 2, &[0x82, 0x84, 0x87]), PROTOCOL_ERROR),
        ([headers(0, 1, &[0x82]), data(1, 0, 1)].concat(), PROTOCOL_ERROR),
        ([headers(0, 1, &[0x82]), frame(Kind::Continuation, 0, 3, &[0x84])].concat(), PROTOCOL_ERROR),
        (frame(Kind::Continuation, END_HEADERS, 1, &[0x82]), PROTOCOL_ERROR),
        (data(1, 0, 1), PROTOCOL_ERROR),
        (data(0, 0, 1), PROTOCOL_ERROR),
        ([get(1, 0, true), data(2, 0, 1)].concat(), PROTOCOL_ERROR),
        (headers(END_HEADERS | END_STREAM, 0, &[0x0f, 0x10, 1, b'x']), PROTOCOL_ERROR),
        (data(1, 0, 16_385), FRAME_SIZE_ERROR),
        (frame(Kind::PushPromise, END_HEADERS, 1, &[0, 0, 0, 2, 0x82]), PROTOCOL_ERROR),
        ([get(1, 0, true), frame(Kind::Data, PADDED, 1, &[9, 0])].concat(), PROTOCOL_ERROR),
        ([get(1, 0, true), get(1, END_STREAM, false)].concat(), PROTOCOL_ERROR),
        (frame(Kind::Settings, 0, 0, &[0, 1, 0]), FRAME_SIZE_ERROR),
        (frame(Kind::RstStream, 0, 1, &[0]), FRAME_SIZE_ERROR),
        (frame(Kind::WindowUpdate, 0, 0, &[0; 5]), FRAME_SIZE_ERROR),
    ];
    for (bytes, code) in table {
        for mut play in plays(Mode::Observe) {
            play.child(&bytes);
            assert_eq!(play.passage.fate(), Fate::Close, "{bytes:x?}");
            let [.., (Kind::GoAway, 0, 0, payload)] = &frames(&play.downstream())[..] else { panic!("{bytes:x?}") };
            assert_eq!(payload[4..], code.to_be_bytes(), "{bytes:x?}");
            assert_eq!(play.book.refused().len(), 1);
        }
    }
}

#[test]
fn floods_are_bounded() {
    for mut play in plays(Mode::Observe).take(1) {
        // CONTINUATION without end.
        play.child(&frame(Kind::Headers, 0, 1, &[0x82]));
        for _ in 0..20 {
            play.child(&frame(Kind::Continuation, 0, 1, &[0; 16_384]));
        }
        assert_eq!((play.passage.fate(), play.upstream()), (Fate::Close, Vec::new()));
    }
    for mut play in plays(Mode::Observe).take(1) {
        for stream in 0..MAX_STREAMS as u32 {
            play.child(&get(2 * stream + 1, 0, stream == 0));
        }
        assert_eq!(play.passage.fate(), Fate::Open);
        play.child(&get(2 * MAX_STREAMS as u32 + 1, 0, false));
        assert_eq!(play.passage.fate(), Fate::Close);
    }
    for mut play in plays(Mode::Observe).take(1) {
        // Rapid reset: nothing is kept of what is over.
        for stream in 0..3 * MAX_STREAMS as u32 {
            let id = 2 * stream + 1;
            play.child(&[get(id, 0, stream == 0), frame(Kind::RstStream, 0, id, &[0; 4])].concat());
        }
        assert!(play.passage.is_idle() && play.passage.fate() == Fate::Open);
    }
}

#[test]
fn a_promise_is_an_exchange() {
    for mut play in plays(Mode::Observe) {
        play.child(&get(1, END_STREAM, true));
        let promise = [
            &[0, 0, 0, 2][..],
            &block(&[(":method", "GET"), (":scheme", "https"), (":path", "/a"), (":authority", "h")]),
        ];
        let server = [
            frame(Kind::PushPromise, END_HEADERS, 1, &promise.concat()),
            ok(1, END_STREAM),
            ok(2, 0),
            data(2, END_STREAM, 4),
        ];
        play.server(&server.concat());
        assert_eq!(frames(&play.downstream()), frames(&server.concat()));
        assert_eq!(play.book.ends(), [(Some(200), None), (Some(200), None)]);
    }
}

#[test]
fn a_reset_after_the_answer_is_no_failure() {
    for mut play in plays(Mode::Observe) {
        play.child(&post(1));
        play.server(&[ok(1, END_STREAM), frame(Kind::RstStream, 0, 1, &NO_ERROR.to_be_bytes())].concat());
        assert_eq!(play.book.ends(), [(Some(200), None)]);
        // What the child had sent by then passes as well.
        play.upstream();
        play.child(&data(1, END_STREAM, 10));
        assert_eq!(play.upstream(), data(1, END_STREAM, 10));
    }
}

#[test]
fn a_drained_connection_says_so_and_ends_when_its_streams_have() {
    for mut play in plays(Mode::Observe) {
        play.child(&get(1, END_STREAM, true));
        play.upstream();
        let mut out = std::mem::take(&mut play.out);
        play.passage.drain(&mut out);
        assert_eq!(frames(&out.downstream)[0].3, [0, 0, 0, 1, 0, 0, 0, 0]);
        play.child(&get(3, END_STREAM, false));
        assert_eq!(play.upstream(), b"");
        assert_eq!(play.downstream(), frame(Kind::RstStream, 0, 3, &REFUSED_STREAM.to_be_bytes()));
        play.server(&ok(1, END_STREAM));
        assert_eq!(play.passage.fate(), Fate::Close);
    }
}

#[test]
fn a_request_that_rules_have_outgrown_is_one_that_the_child_may_send_again() {
    for mut play in plays(Mode::Observe) {
        play.child(&get(1, END_STREAM, true));
        play.upstream();
        play.book.is_outgrown.store(true, Ordering::Relaxed);
        play.child(&get(3, END_STREAM, false));
        assert_eq!(play.upstream(), b"");
        let told = [
            frame(Kind::GoAway, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]),
            frame(Kind::RstStream, 0, 3, &REFUSED_STREAM.to_be_bytes()),
        ];
        assert_eq!(play.downstream(), told.concat());
        play.server(&ok(1, END_STREAM));
        assert_eq!(play.passage.fate(), Fate::Close);
        assert_eq!(play.book.ends(), [(Some(200), None)]);
    }
}

#[test]
fn a_server_that_leaves_fails_what_is_open() {
    for mut play in plays(Mode::Observe) {
        play.child(&[get(1, END_STREAM, true), post(3)].concat());
        play.server(&ok(1, END_STREAM));
        play.end(Direction::Response);
        assert_eq!(play.passage.fate(), Fate::Close);
        drop(play.passage);
        let ends = play.book.ends();
        assert_eq!(ends[0], (Some(200), None));
        assert_eq!(ends[1].1.as_deref(), Some("upstream closed the connection"));
    }
}

#[test]
fn whatever_comes_is_passed_refused_or_waited_for() {
    let child = [
        PREFACE.to_vec(),
        frame(Kind::Settings, 0, 0, &[0, 4, 0, 1, 0, 0]),
        get(1, END_STREAM, true),
        post(3),
        frame(Kind::Data, PADDED, 3, b"\x02abc\0\0"),
        room(0, 10),
        data(3, END_STREAM, 9),
        frame(Kind::RstStream, 0, 1, &8_u32.to_be_bytes()),
    ];
    let server = [
        frame(Kind::Settings, 0, 0, &[0, 1, 0, 0, 0, 0]),
        frame(Kind::Settings, ACK, 0, &[]),
        ok(1, 0),
        data(1, END_STREAM, 7),
        ok(3, END_STREAM),
        frame(Kind::GoAway, 0, 0, &[0; 8]),
    ];
    let new = |book: std::sync::Arc<Book>| Http2::new(book, ConnectionId(1), origin());
    survives(new, &child.concat(), &server.concat());
    is_the_same_in_pieces(new, &child.concat(), &server.concat(), true);
}
