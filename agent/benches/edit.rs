//! What a change of a streamed message costs: an event of 4 KiB of JSON of which one member is set, one removed, and in
//! whose text something is replaced and something redacted. A line for each median, as `cargo xtask bench` prints them.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and fails where it fails")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use agent::engine::edit::{BodyEdits, Transform};
use agent::engine::http::Field;
use agent::engine::http::exchange::Direction;

/// Events of one round.
const EVENTS: u32 = 2_000;
/// Rounds, of which the median is told.
const ROUNDS: usize = 9;
/// Bytes of the text in an event.
const TEXT: usize = 4 * 1024;

fn main() {
    for (what, edits) in [
        ("a member of 4 KiB JSON is set", "json = [{ set = '/choices/0/index', to = 7 }]"),
        ("text of 4 KiB JSON is replaced", "replace = [{ pattern = 'secret', with = 'word' }]"),
        ("numbers of cards are redacted in 4 KiB", "redact = ['card']"),
        (
            "all of these, and a member is removed",
            "json = [{ set = '/choices/0/index', to = 7 }, { remove = '/model' }]\nredact = ['card']\n\
             replace = [{ pattern = 'secret', with = 'word' }]",
        ),
    ] {
        println!("{:<46} {:>12.2} us", format!("edit: {what}"), median(edits));
    }
}

/// Microseconds of one event.
fn median(edits: &str) -> f64 {
    let edits: Arc<BodyEdits> = Arc::new(toml::from_str(edits).unwrap());
    let text = "a token, a secret, and 12 more; ".repeat(TEXT / 32);
    let event = format!(
        "data: {{\"id\":\"c1\",\"model\":\"lab\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
    );
    let fields = [Field::new("content-type", "text/event-stream")];
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let changes: Vec<Box<dyn agent::engine::edit::Change>> = vec![Box::new(Arc::clone(&edits))];
            let mut transform = Transform::new(Direction::Response, &[], None, Some((200, &fields)), changes);
            let begun = Instant::now();
            for _ in 0..EVENTS {
                let mut out = Vec::new();
                transform.push(black_box(event.as_bytes()), &mut out).unwrap();
                assert!(black_box(out).len() > TEXT / 2);
            }
            begun.elapsed().as_secs_f64() * 1e6 / f64::from(EVENTS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}
