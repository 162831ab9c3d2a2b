//! A message as a frame of a WebSocket (RFC 6455 section 5.2), whole and not compressed.

use crate::engine::http::exchange::Direction;
use crate::engine::record::rows::Message;

/// The frame; nothing for what is no message of a WebSocket.
pub(super) fn frame(message: &Message) -> Vec<u8> {
    let Some(opcode) = message.kind.opcode() else { return Vec::new() };
    // A client masks: with zeros, which change nothing.
    let (masked, mask): (u8, &[u8]) = match message.direction {
        Direction::Request => (0x80, &[0; 4]),
        Direction::Response => (0, &[]),
    };
    let length = message.payload.len();
    let mut frame = vec![0x80 | opcode];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..=125), _) => frame.push(masked | short),
        (_, Ok(middle)) => {
            frame.push(masked | 126);
            frame.extend(middle.to_be_bytes());
        }
        _ => {
            frame.push(masked | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    [&frame, mask, &message.payload].concat()
}
