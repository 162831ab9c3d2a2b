//! The packets of a connection, read back header by header.

use super::*;
use crate::engine::decode::stream::MessageKind;
use crate::engine::http::Field;
use crate::engine::record::rows::{Content, Half, Message};
use crate::engine::record::samples::{exchange, message};

/// A frame that was written, as far as TCP over IPv4.
struct Read {
    port: u16,
    seq: u32,
    ack: u32,
    flags: u8,
    payload: Vec<u8>,
    at: u64,
}

/// The frames of a section of packets alone; their checksums are right.
fn read(mut section: &[u8]) -> Vec<Read> {
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut frames = Vec::new();
    while !section.is_empty() {
        let (block, rest) = section.split_at(word(section, 4) as usize);
        let frame = &block[28..28 + word(block, 20) as usize];
        assert_eq!((&frame[12..14], frame.len() <= 1_514), (&[8, 0][..], true));
        let (ip, segment) = frame[14..].split_at(20);
        let length = u16::try_from(segment.len()).unwrap().to_be_bytes();
        assert_eq!(ones(ip), 0xffff, "the checksum of IP");
        assert_eq!(ones(&[&ip[12..], &[0, 6], &length, segment].concat()), 0xffff, "the checksum of TCP");
        let number = |at: usize| u32::from_be_bytes(segment[at..at + 4].try_into().unwrap());
        let at = (u64::from(word(block, 12)) << 32 | u64::from(word(block, 16))) / 1_000;
        let port = u16::from_be_bytes([segment[0], segment[1]]);
        frames.push(Read {
            port,
            seq: number(4),
            ack: number(8),
            flags: segment[13],
            payload: segment[20..].to_vec(),
            at,
        });
        section = rest;
    }
    frames
}

fn ones(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

/// Both sides of the connection, whose numbers fit: what the child sends, and what it gets.
fn sides(frames: &[Read]) -> [Vec<u8>; 2] {
    let (mut sides, mut next) = ([Vec::new(), Vec::new()], [0, 0]);
    for frame in frames {
        let side = usize::from(frame.port != 40_000);
        assert_eq!(frame.seq, next[side], "a gap");
        assert_eq!(frame.ack, if frame.flags & 16 == 0 { 0 } else { next[1 - side] }, "not all is acknowledged");
        next[side] += u32::try_from(frame.payload.len()).unwrap() + u32::from(frame.flags & 3 != 0);
        sides[side].extend(&frame.payload);
    }
    sides
}

fn packets(exchanges: &[Exchange]) -> Vec<Read> {
    let mut connection = exchanges[0].connection.clone().unwrap();
    connection.child = "10.200.1.2:40000".into();
    connection.accepted = 900_000;
    let mut out = Vec::new();
    super::connection(&connection, exchanges, &mut out);
    read(&out)
}

fn http1() -> Exchange {
    let mut exchange = exchange();
    exchange.outline.version = "HTTP/1.1".into();
    exchange.outline.path = "/a".into();
    exchange.request.head = vec![Field::new("Host", "api.example"), Field::new("Content-Length", "7")];
    let head = vec![Field::new("Transfer-Encoding", "chunked")];
    let body = Some(Content { bytes: vec![b'x'; 3_000], ..Content::default() });
    exchange.response = Some(Half { head, body, size: 3_000, trailers: vec![Field::new("T", "1")] });
    exchange
}

#[test]
fn a_connection_has_a_beginning_an_end_and_every_byte_between() {
    let frames = packets(&[http1()]);
    let flags: Vec<u8> = frames.iter().map(|frame| frame.flags).collect();
    assert_eq!((&flags[..3], &flags[flags.len() - 3..]), (&[2, 18, 16][..], &[17, 17, 16][..]));
    assert!(frames.is_sorted_by_key(|frame| frame.at));
    let [request, response] = sides(&frames);
    let expect = "POST /a HTTP/1.1\r\nHost: api.example\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    assert_eq!(String::from_utf8(request).unwrap(), expect);
    let body = "x".repeat(3_000);
    let expect =
        format!("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nbb8\r\n{body}\r\n0\r\nT: 1\r\n\r\n");
    assert_eq!(String::from_utf8(response).unwrap(), expect);
    // The head went out when it was stored, the body when it was complete.
    let times: Vec<u64> = frames.iter().filter(|frame| !frame.payload.is_empty()).map(|frame| frame.at).collect();
    assert_eq!(times[..4], [1_000_000, 1_001_000, 1_004_000, 1_006_000]);
}

#[test]
fn http2_is_read_back_as_it_was() {
    use crate::engine::wire::h2::{Frame, HEAD, Kind, PREFACE};
    use crate::engine::wire::hpack::Decoder;

    let mut second = exchange();
    second.response.as_mut().unwrap().trailers = vec![Field::new("grpc-status", "0")];
    second.request.body = Some(Content { bytes: vec![7; 40_000], ..Content::default() });
    let [request, response] = sides(&packets(&[exchange(), second.clone()]));
    let mut seen = Vec::new();
    for (side, bytes) in [(0, request.strip_prefix(PREFACE).unwrap()), (1, &response[..])] {
        let (mut decoder, mut rest) = (Decoder::new(1 << 16), bytes);
        while let Some(frame) = Frame::read(rest) {
            let payload = &rest[HEAD..HEAD + frame.length];
            let content = match frame.kind {
                Kind::Headers => format!("{:?}", decoder.decode(payload).unwrap()[0]),
                Kind::Data => payload.len().to_string(),
                _ => String::new(),
            };
            seen.push((side, frame.stream, frame.flags, content));
            rest = &rest[HEAD + frame.length..];
        }
    }
    let seen: Vec<_> = seen.iter().filter(|frame| frame.1 > 0).map(|(a, b, c, d)| (*a, *b, *c, d.as_str())).collect();
    let expect = [
        (0, 1, 4, ":method: POST"),
        (0, 3, 4, ":method: POST"),
        (0, 1, 1, "7"),
        (0, 3, 0, "16384"),
        (0, 3, 0, "16384"),
        (0, 3, 1, "7232"),
        (1, 1, 4, ":status: 201"),
        (1, 3, 4, ":status: 201"),
        (1, 1, 1, "2"),
        (1, 3, 0, "2"),
        (1, 3, 5, "grpc-status: 0"),
    ];
    assert_eq!(seen, expect);
}

#[test]
fn messages_of_a_websocket_are_frames() {
    let table = [
        (message(b"hi", Direction::Request), [&[0x81, 0x82, 0, 0, 0, 0][..], b"hi"].concat()),
        (message(b"hi", Direction::Response), b"\x81\x02hi".to_vec()),
        (message(&[b'a'; 300], Direction::Response), [&[0x81, 126, 1, 44][..], &[b'a'; 300]].concat()),
        (Message { kind: MessageKind::Event, ..message(b"x", Direction::Response) }, vec![]),
    ];
    for (message, expect) in table {
        assert_eq!(websocket::frame(&message), expect);
    }
}

#[test]
fn ipv6_has_its_own_header() {
    let mut connection = exchange().connection.unwrap();
    (connection.child, connection.destination) = ("[2001:db8::2]:40000".into(), "[2001:db8::1]:80".into());
    let mut out = Vec::new();
    super::connection(&connection, &[http1()], &mut out);
    // Behind the block's head and two addresses of Ethernet: IPv6, version 6, TCP.
    assert_eq!((&out[40..42], out[42] >> 4, out[48]), (&[0x86, 0xdd][..], 6, 6));
}
