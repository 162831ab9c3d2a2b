//! Changes of a body or a stream: however it is split, the same comes out, and what is JSON stays JSON.

#![no_main]

use std::sync::Arc;

use agent::engine::edit::{BodyEdits, Change, Transform};
use agent::engine::http::Field;
use agent::engine::http::exchange::Direction;
use libfuzzer_sys::fuzz_target;

/// What the body says it is, by the first byte.
const TYPES: [&str; 6] = [
    "application/json",
    "text/event-stream",
    "application/grpc+json",
    "application/grpc-web-text+json",
    "application/connect+json",
    "text/plain",
];

fuzz_target!(|bytes: &[u8]| {
    let [kind, cut, rest @ ..] = bytes else { return };
    // The edits end with a NUL, which TOML does not have; the body follows.
    let Some(end) = rest.iter().position(|byte| *byte == 0) else { return };
    let (text, body) = (&rest[..end], &rest[end + 1..]);
    let Some(edits) = std::str::from_utf8(text).ok().and_then(|text| toml::from_str::<BodyEdits>(text).ok()) else {
        return;
    };
    let edits = Arc::new(edits);
    let media = TYPES[usize::from(*kind) % TYPES.len()];
    let whole = changed(&edits, media, body, body.len().max(1));
    let pieces = changed(&edits, media, body, usize::from(*cut).max(1));
    // What is refused may be refused a piece earlier.
    if let (Some(whole), Some(pieces)) = (&whole, &pieces) {
        assert_eq!(whole, pieces);
    }
    assert_eq!(whole.is_some(), pieces.is_some());
    if media == "application/json" && serde_json::from_slice::<serde_json::Value>(body).is_ok() && !is_textual(text) {
        let changed = whole.expect("a document can be changed");
        assert!(changed.is_empty() || serde_json::from_slice::<serde_json::Value>(&changed).is_ok());
    }
});

/// Whether the edits may change more than JSON.
fn is_textual(edits: &[u8]) -> bool {
    let edits = String::from_utf8_lossy(edits);
    ["replace", "max", "redact", "\\"].iter().any(|word| edits.contains(word))
}

fn changed(edits: &Arc<BodyEdits>, media: &'static str, body: &[u8], cut: usize) -> Option<Vec<u8>> {
    let fields = [Field::new("content-type", media)];
    let changes: Vec<Box<dyn Change>> = vec![Box::new(Arc::clone(edits))];
    let mut transform = Transform::new(Direction::Response, &[], None, Some((200, &fields)), changes);
    let mut out = Vec::new();
    for piece in body.chunks(cut) {
        transform.push(piece, &mut out).ok()?;
    }
    transform.end(&mut out).ok()?;
    Some(out)
}
