//! A stream of Connect: its messages are the same however they come, and each byte is of one.

#![no_main]

use agent::engine::decode::stream::{Kind, MessageKind};
use agent::engine::http::Field;
use agent::engine::http::exchange::Direction;
use fuzz::streams::{read, wire};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, body)) = bytes.split_first() else { return };
    let encoding = ["identity", "gzip", "deflate", "br", "zstd", "snappy"][usize::from(choice) % 6];
    let messages = read(Kind::Connect, Direction::Response, &[Field::new("connect-content-encoding", encoding)], body);
    if let Some(wire) = wire(&messages) {
        assert_eq!(wire, body.len() as u64);
    }
    let known = [MessageKind::Message, MessageKind::EndStream, MessageKind::Malformed];
    assert!(messages.iter().all(|message| known.contains(&message.kind)));
});
