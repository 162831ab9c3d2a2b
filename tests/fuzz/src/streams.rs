//! Reads a message stream as a whole and in pieces, and asserts that both say the same.

use agent::engine::decode::stream::{Kind, MAX_MESSAGE, Message, MessageKind, Reader};
use agent::engine::http::Field;
use agent::engine::http::exchange::Direction;

/// The messages in `bytes`, one direction of an exchange in which request and response have the fields `head`.
///
/// # Panics
/// If they depend on the pieces in which the bytes come, or something is read twice.
#[must_use]
pub fn read(kind: Kind, direction: Direction, head: &[Field], bytes: &[u8]) -> Vec<Message> {
    let messages = in_pieces(kind, direction, head, bytes, usize::MAX);
    for piece in [1, 5] {
        let again = in_pieces(kind, direction, head, bytes, piece);
        assert_eq!(comparable(&again), comparable(&messages), "in pieces of {piece}");
    }
    assert!(messages.iter().all(|message| message.payload.len() <= MAX_MESSAGE));
    let malformed = messages.iter().position(|message| message.kind == MessageKind::Malformed);
    assert!(malformed.is_none_or(|at| at + 1 == messages.len()), "something after what cannot be understood");
    messages
}

/// Bytes that the messages took; none if the last is malformed, of which not all was read.
#[must_use]
pub fn wire(messages: &[Message]) -> Option<u64> {
    let is_read = messages.last().is_none_or(|message| message.kind != MessageKind::Malformed);
    is_read.then(|| messages.iter().map(|message| message.wire).sum())
}

fn in_pieces(kind: Kind, direction: Direction, head: &[Field], bytes: &[u8], piece: usize) -> Vec<Message> {
    let mut reader = Reader::new(kind, direction, head, head);
    let mut messages = Vec::new();
    bytes.chunks(piece).for_each(|piece| reader.feed(piece, &mut messages));
    reader.end(&mut messages);
    messages
}

/// How far something broken was decompressed depends on how it came.
fn comparable(messages: &[Message]) -> Vec<(MessageKind, Option<&Message>)> {
    let is_whole = |message: &&Message| message.kind != MessageKind::Malformed;
    messages.iter().map(|message| (message.kind, Some(message).filter(is_whole))).collect()
}
