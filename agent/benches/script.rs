//! What a script costs: one call of `onRequest` with a small head, and one of `onMessage`. A line for each median, as
//! `cargo xtask bench` prints them.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and fails where it fails")]

use std::hint::black_box;
use std::time::Instant;

use agent::engine::decode::stream::MessageKind;
use agent::engine::http::exchange::Direction;
use agent::engine::http::{Field, RequestHead};
use agent::engine::script::{Engine, Message, Request, Script};
use http::Method;

/// Calls of one round.
const CALLS: u32 = 5_000;
/// Rounds, of which the median is told.
const ROUNDS: usize = 9;

fn main() {
    let fields =
        [Field::new("user-agent", "bench"), Field::new("accept", "*/*"), Field::new("x-request-id", "0123456789")];
    let head = RequestHead::assembled("HTTP/2", Method::GET, ("https", "api.example", "/v1/charges?limit=3"), &fields);
    let request = Request { head, body: None };
    for (what, body) in [
        ("reads a header", "if (request.headers.authorization) return { block: true }"),
        ("sets a header", "request.headers['x-agent'] = '1'"),
    ] {
        let engine = engine(&format!("exports.onRequest = (request) => {{ {body} }}"));
        tell(&format!("onRequest that {what}"), || drop(black_box(engine.on_request(black_box(&request)).unwrap())));
    }
    let engine = engine("exports.onMessage = (message) => message.data.replace('a', 'b')");
    let payload = "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}".repeat(4);
    let message = Message { direction: Direction::Response, kind: MessageKind::Event, payload: payload.as_bytes() };
    tell("onMessage that replaces text", || {
        drop(black_box(engine.on_message(black_box(&message), &request.head).unwrap()));
    });
}

fn engine(source: &str) -> Engine {
    let begun = Instant::now();
    let script = Script::new("bench.js", source, move || begun.elapsed()).unwrap();
    Engine::new(&script, move || begun.elapsed()).unwrap()
}

/// Prints the microseconds of one `call`.
fn tell(what: &str, call: impl Fn()) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            (0..CALLS).for_each(|_| call());
            begun.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("{what:<46} {:>12.2} us", rounds[ROUNDS / 2]);
}
