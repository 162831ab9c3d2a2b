//! Playbooks of HTTP/1 connections, each with bytes coming whole, in twos and one by one.

use std::sync::atomic::Ordering;

use super::*;
use crate::engine::http::verbatim::playbook::{Book, Play, is_the_same_in_pieces, origin, survives};
use crate::engine::policy::Mode;

const SEGMENTS: [usize; 3] = [usize::MAX, 2, 1];
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn plays(mode: Mode) -> impl Iterator<Item = Play<Http1>> {
    SEGMENTS.into_iter().map(move |segment| {
        let book = Book::new(mode);
        Play::new(Http1::new(book.clone(), ConnectionId(1), origin()), book, segment)
    })
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn messages_pass_as_they_came() {
    let requests = [
        "GET /a?b HTTP/1.1\r\nHOST: h\r\nX-One: 1\r\nx-two:  2 \r\nX-ONE: 3\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=\"v\"\r\nabc\r\n00\r\nX-Sum: 1\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\ncontent-length: 3\r\n\r\nabc",
        "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
        "BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n",
        GET,
    ];
    let responses = [
        "HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 0\r\nx-one: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\n!",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 Reason with  spaces\r\nContent-Length: 7\r\n\r\n",
        "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nto the end",
    ];
    for mut play in plays(Mode::Enforce) {
        play.child(requests.concat().as_bytes());
        assert_eq!(text(play.upstream()), requests.concat());
        play.server(responses.concat().as_bytes());
        play.end(Direction::Response);
        assert_eq!(text(play.downstream()), responses.concat());
        let ends = play.book.ends();
        assert_eq!(ends.len(), requests.len(), "{ends:?}");
        assert!(ends.iter().all(|(_, error)| error.is_none()), "{ends:?}");
        assert_eq!(play.passage.fate(), Fate::Close);
    }
}

#[test]
fn what_may_be_read_in_two_ways_is_refused_and_nothing_of_it_goes_on() {
    let table = [
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "both"),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "two Content-Length"),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\n", "no number"),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n", "no number"),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\n", "no number"),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", "no number"),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", "no number"),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n", "unknown"),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", "unknown"),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", "not the last"),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            "not the last",
        ),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "without end"),
        ("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0"),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n", "field name"),
        ("GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", "two Host"),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", "folded"),
        ("GET / HTTP/1.1\nHost: h\r\n\r\n", "without CR"),
        ("GET / HTTP/1.1\r\nHost: h\n\r\n", "without CR"),
        ("GET / HTTP/1.1\r\nHost: h\r\n\n", "without CR"),
        ("GET / HTTP/1.1\r\nHost: h\rX: 1\r\n\r\n", "CR inside"),
        ("GET / HTTP/1.1\r\nHost: h\0\r\n\r\n", "NUL"),
        ("GET / HTTP/1.1\r\nHost: h\r\n: v\r\n\r\n", "field name"),
        ("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", "field name"),
        ("GET / HTTP/1.2\r\nHost: h\r\n\r\n", "version"),
        ("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", "CRLF"),
        ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "request line"),
    ];
    for (request, reason) in table {
        for mut play in plays(Mode::Observe) {
            play.child(request.as_bytes());
            assert_eq!(text(play.upstream()), "", "{request:?}");
            let answer = text(play.downstream());
            assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{request:?}: {answer:?}");
            assert!(answer.contains("connection: close\r\n") && answer.contains(reason), "{request:?}: {answer}");
            assert_eq!(play.book.refused().len(), 1, "{request:?}");
            assert_eq!(play.passage.fate(), Fate::Close);
        }
    }
}

#[test]
fn a_body_that_may_be_read_in_two_ways_is_refused_where_it_begins_to_be() {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let table = [
        ("3\nabc", ""),
        ("3 \r\nabc", ""),
        ("3\r\nabcd\r\n", "3\r\nabc"),
        ("3\r\nabc\n", "3\r\nabc"),
        ("-1\r\n", ""),
        ("fffffffffffffffff\r\n", ""),
        ("\r\n", ""),
        ("0x3\r\nabc\r\n", ""),
        ("0\r\nX: 1\n\r\n", "0\r\n"),
        ("0\r\n X: 1\r\n\r\n", "0\r\n"),
        ("3;a=\rb\r\nabc", ""),
    ];
    for (body, passed) in table {
        for mut play in plays(Mode::Observe) {
            play.child(head.as_bytes());
            play.child(body.as_bytes());
            assert_eq!(text(play.upstream()), format!("{head}{passed}"), "{body:?}");
            assert!(text(play.downstream()).starts_with("HTTP/1.1 400 "), "{body:?}");
            assert_eq!((play.book.refused().len(), play.passage.fate()), (1, Fate::Close), "{body:?}");
        }
    }
}

#[test]
fn a_head_without_end_is_answered_with_431() {
    for mut play in plays(Mode::Observe).take(1) {
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}", "x".repeat(http1::MAX_HEAD));
        play.child(head.as_bytes());
        assert!(text(play.downstream()).starts_with("HTTP/1.1 431 "));
        assert_eq!(play.upstream(), b"");
    }
    let many: String = (0..=http1::MAX_FIELDS).map(|number| format!("x{number}: 1\r\n")).collect();
    for mut play in plays(Mode::Observe) {
        play.child(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes());
        assert!(text(play.downstream()).starts_with("HTTP/1.1 431 "));
    }
}

#[test]
fn a_response_that_may_be_read_in_two_ways_becomes_a_502() {
    let table = [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
    ];
    for response in table {
        for mut play in plays(Mode::Observe) {
            play.child(GET.as_bytes());
            play.server(response.as_bytes());
            let answer = text(play.downstream());
            assert!(answer.starts_with("HTTP/1.1 502 "), "{response:?}: {answer:?}");
            assert_eq!((play.book.refused().len(), play.passage.fate()), (1, Fate::Close), "{response:?}");
            assert!(matches!(&play.book.ends()[..], []), "the child has not been told yet");
            drop(play.passage);
            let [(Some(502), Some(_))] = &play.book.ends()[..] else { panic!("{:?}", play.book.ends()) };
        }
    }
}

#[test]
fn a_response_that_breaks_after_its_head_resets_the_connection() {
    for mut play in plays(Mode::Observe) {
        play.child(GET.as_bytes());
        play.server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nwrong\r\n");
        assert_eq!(play.passage.fate(), Fate::Reset);
        assert!(text(play.downstream()).ends_with("2\r\nok\r\n"));
    }
}

#[test]
fn an_upgrade_is_a_tunnel_only_when_the_server_agrees() {
    let ask = "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";
    for mut play in plays(Mode::Enforce) {
        play.child(ask.as_bytes());
        play.child(GET.as_bytes());
        // What follows the request waits until it is known what it is.
        assert_eq!(text(play.upstream()), ask);
        play.server(OK.as_bytes());
        assert_eq!(text(play.upstream()), GET);
        play.server(OK.as_bytes());
        play.child(ask.as_bytes());
        play.server(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x00");
        play.child(b"\x81\x80\n\r\n");
        assert_eq!(play.upstream(), [ask.as_bytes(), b"\x81\x80\n\r\n"].concat());
        assert!(play.downstream().ends_with(b"\r\n\r\n\x81\x00"));
        play.end(Direction::Request);
        assert_eq!(play.passage.fate(), Fate::Open);
        play.end(Direction::Response);
        assert_eq!(play.passage.fate(), Fate::Close);
        drop(play.passage);
        assert_eq!(play.book.ends(), [(Some(200), None), (Some(200), None), (Some(101), None)]);
    }
}

#[test]
fn enforce_lets_no_tunnel_pass_that_is_not_read() {
    for mut play in plays(Mode::Enforce) {
        play.child(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
        assert_eq!(play.upstream(), b"");
        assert!(text(play.downstream()).starts_with("HTTP/1.1 403 "));
        // The connection lives on.
        play.child(GET.as_bytes());
        assert_eq!(text(play.upstream()), GET);
        play.server(OK.as_bytes());
        assert_eq!(text(play.downstream()), OK);
        play.child(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n");
        play.server(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n");
        assert!(text(play.downstream()).starts_with("HTTP/1.1 502 "));
    }
}

#[test]
fn connect_is_a_tunnel_in_observe_mode() {
    for mut play in plays(Mode::Observe) {
        play.child(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
        play.server(b"HTTP/1.1 200 OK\r\n\r\n");
        play.child(b"\x16\x03");
        play.server(b"\x15\x03");
        assert!(play.upstream().ends_with(b"\r\n\r\n\x16\x03"));
        assert!(play.downstream().ends_with(b"\r\n\r\n\x15\x03"));
    }
}

#[test]
fn answers_of_ours_keep_their_place_among_the_servers() {
    for mut play in plays(Mode::Enforce) {
        play.child(GET.as_bytes());
        play.child(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
        play.child(GET.as_bytes());
        assert_eq!(text(play.upstream()), format!("{GET}{GET}"));
        assert_eq!(text(play.downstream()), "");
        play.server(OK.as_bytes());
        let answers = text(play.downstream());
        assert!(answers.starts_with(&format!("{OK}HTTP/1.1 403 ")) && answers.ends_with("}\n"), "{answers}");
        play.server(OK.as_bytes());
        assert_eq!(text(play.downstream()), OK);
        assert_eq!(play.passage.fate(), Fate::Open);
    }
}

#[test]
fn a_refused_request_whose_body_is_still_to_come_is_the_last() {
    for mut play in plays(Mode::Enforce) {
        play.child(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nContent-Length: 5\r\n\r\nab");
        assert!(text(play.downstream()).contains("connection: close\r\n"));
        assert_eq!((play.upstream(), play.passage.fate()), (Vec::new(), Fate::Close));
    }
}

#[test]
fn ends_are_told_from_breaks() {
    type Case<'a> = (&'a str, &'a str, Direction, Option<u16>, bool);
    let table: [Case<'_>; 5] = [
        (GET, "HTTP/1.1 200 OK\r\n\r\nall", Direction::Response, Some(200), false),
        (GET, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Direction::Response, Some(200), true),
        (GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", Direction::Response, Some(200), true),
        (GET, "", Direction::Response, None, true),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf", "", Direction::Request, None, true),
    ];
    for (request, response, ended, status, broke) in table {
        for mut play in plays(Mode::Observe) {
            play.child(request.as_bytes());
            play.server(response.as_bytes());
            play.end(ended);
            drop(play.passage);
            let ends = play.book.ends();
            assert_eq!((ends[0].0, ends[0].1.is_some()), (status, broke), "{response:?}: {ends:?}");
        }
    }
}

#[test]
fn a_child_that_ended_its_side_gets_its_response() {
    for mut play in plays(Mode::Observe) {
        play.child(GET.as_bytes());
        play.end(Direction::Request);
        assert_eq!(play.passage.fate(), Fate::Open);
        play.server(OK.as_bytes());
        assert_eq!((text(play.downstream()), play.passage.fate()), (OK.into(), Fate::Close));
    }
}

#[test]
fn a_drained_connection_ends_after_the_exchange_that_is_open() {
    for mut play in plays(Mode::Observe) {
        play.child(GET.as_bytes());
        let mut out = Out::default();
        play.passage.drain(&mut out);
        play.child(GET.as_bytes());
        assert_eq!(text(play.upstream()), GET);
        play.server(OK.as_bytes());
        assert_eq!((text(play.downstream()), play.passage.fate()), (OK.into(), Fate::Close));
    }
}

#[test]
fn a_connection_that_rules_have_outgrown_is_handed_on_whole_between_two_exchanges() {
    for is_told in [true, false] {
        for mut play in plays(Mode::Observe) {
            play.child(GET.as_bytes());
            if is_told {
                let mut out = std::mem::take(&mut play.out);
                play.passage.outgrow(&mut out);
                play.out = out;
            }
            play.book.is_outgrown.store(true, Ordering::Relaxed);
            play.child(GET.as_bytes());
            assert_eq!((text(play.upstream()), play.passage.fate()), (GET.into(), Fate::Open));
            play.server(OK.as_bytes());
            assert_eq!((text(play.downstream()), play.passage.fate()), (OK.into(), Fate::Outgrown));
            assert_eq!(play.untaken(), GET.as_bytes());
            assert_eq!(play.book.ends(), [(Some(200), None)]);
        }
    }
}

#[test]
fn a_response_that_nobody_asked_for_passes() {
    for mut play in plays(Mode::Observe) {
        let timeout = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        play.server(timeout.as_bytes());
        play.end(Direction::Response);
        assert_eq!((text(play.downstream()), play.passage.fate()), (timeout.into(), Fate::Close));
    }
}

#[test]
fn a_child_does_not_get_further_ahead_than_it_may() {
    for mut play in plays(Mode::Observe).take(1) {
        for _ in 0..MAX_WAITING {
            play.child(GET.as_bytes());
        }
        assert!(!play.passage.wants(Direction::Request));
        play.server(OK.as_bytes());
        assert!(play.passage.wants(Direction::Request));
    }
}

#[test]
fn whatever_comes_is_passed_refused_or_waited_for() {
    let child = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\n\
                 GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x01\x02";
    let server = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\n\r\n\
                  HTTP/1.1 101 Switching Protocols\r\n\r\n\x01\x02";
    let new = |book: std::sync::Arc<Book>| Http1::new(book, ConnectionId(1), origin());
    survives(new, child.as_bytes(), server.as_bytes());
    is_the_same_in_pieces(new, child.as_bytes(), server.as_bytes(), false);
}
