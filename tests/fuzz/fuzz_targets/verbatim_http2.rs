//! The verbatim carrier of HTTP/2, between a child and a server that send whatever they like.

#![no_main]

use agent::engine::event::ConnectionId;
use agent::engine::http::verbatim::Http2;
use agent::engine::wire::h2::PREFACE;
use fuzz::frames::decode;
use fuzz::play::{origin, play, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((mode, script)) = read(input) else { return };
    let new = |book| Http2::new(book, ConnectionId(1), origin());
    let [whole, pieces] = [false, true].map(|in_pieces| play(new, mode, script, in_pieces));
    for played in [&whole, &pieces] {
        let ([child, server], [upstream, downstream]) = (&played.sent, &played.passed);
        // Whatever was refused or encoded anew, the tables of both receivers are what the senders take them for.
        decode(upstream.strip_prefix(PREFACE).unwrap_or_default());
        decode(downstream);
        if played.is_unhindered() && !played.is_drained {
            assert!(child.starts_with(upstream), "the server was sent what the child did not send");
            assert!(server.starts_with(downstream), "the child was sent what the server did not send");
        }
    }
    // What comes behind the last stream of a connection that ends passes if it has come by then.
    if [&whole, &pieces].iter().all(|played| !played.is_drained && !played.is_ended) {
        assert_eq!(whole.passed, pieces.passed);
        assert_eq!((whole.reports(), whole.fate), (pieces.reports(), pieces.fate));
    }
});
