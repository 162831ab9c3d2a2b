//! Frames of a WebSocket connection: the messages are the same however they come, and each byte is of one.

#![no_main]

use agent::engine::decode::stream::{Kind, MessageKind};
use agent::engine::http::Field;
use agent::engine::http::exchange::Direction;
use fuzz::streams::{read, wire};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, frames)) = bytes.split_first() else { return };
    let extensions =
        ["", "permessage-deflate", "permessage-deflate; server_no_context_takeover"][usize::from(choice) % 3];
    let messages =
        read(Kind::WebSocket, Direction::Response, &[Field::new("Sec-WebSocket-Extensions", extensions)], frames);
    if let (Some(wire), true) = (wire(&messages), messages.iter().all(|message| !message.is_cut)) {
        assert_eq!(wire, frames.len() as u64);
    }
    for message in &messages {
        if matches!(message.kind, MessageKind::Ping | MessageKind::Pong | MessageKind::Close) {
            assert!(message.payload.len() <= 125, "a control frame of {} bytes", message.payload.len());
        }
    }
});
