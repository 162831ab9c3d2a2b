//! The verbatim carrier of HTTP/1, between a child and a server that send whatever they like.

#![no_main]

use agent::engine::event::ConnectionId;
use agent::engine::http::verbatim::Http1;
use fuzz::play::{origin, play, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((mode, script)) = read(input) else { return };
    let new = |book| Http1::new(book, ConnectionId(1), origin());
    let [whole, pieces] = [false, true].map(|in_pieces| play(new, mode, script, in_pieces));
    for played in [&whole, &pieces] {
        let ([child, server], [upstream, downstream]) = (&played.sent, &played.passed);
        assert!(is_made_of(upstream, child), "the server was sent what the child did not send");
        if played.is_unhindered() {
            assert!(server.starts_with(downstream), "the child was sent what the server did not send");
        }
    }
    // Where a request waits, a server that speaks before it is asked decides by how much it says at once.
    let is_in_step = !whole.is_child_held && !pieces.is_child_held;
    if is_in_step && (whole.is_unhindered() || pieces.is_unhindered()) {
        assert_eq!(whole.passed, pieces.passed);
        assert_eq!((whole.reports(), whole.fate), (pieces.reports(), pieces.fate));
    }
});

/// Whether `part` is `whole` with some of it left out.
fn is_made_of(part: &[u8], whole: &[u8]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|byte| whole.any(|other| other == byte))
}
