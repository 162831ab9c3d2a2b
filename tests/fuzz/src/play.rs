//! Plays a script to a passage, as its driver would, and keeps what came of it.

use std::sync::Arc;

use agent::engine::event::Event;
use agent::engine::http::Origin;
use agent::engine::http::exchange::Direction;
use agent::engine::http::verbatim::{Exchanges, Fate, Out, Passage};
use agent::engine::policy::Mode;
use agent::engine::wire::http1::MAX_HEAD;
use bytes::BytesMut;

use crate::book::Book;
use crate::script::{Script, Step};

/// Most bytes that are sent in one play: enough for whatever is held to exceed its limit.
const MOST: usize = 1 << 20;
/// More than a passage may leave in its input before it has enough of it to go on.
const HELD: usize = MAX_HEAD + 64 * 1024;

/// What came of a play.
#[derive(Debug)]
pub struct Played {
    /// What each side sent, by [`Direction`], as far as the passage was given it.
    pub sent: [Vec<u8>; 2],
    /// What was passed on in each direction, answers of the agent's own included.
    pub passed: [Vec<u8>; 2],
    /// What was reported.
    pub events: Vec<Event>,
    /// How the connection fared.
    pub fate: Fate,
    /// Whether no exchange was to begin any more.
    pub is_drained: bool,
}

impl Played {
    /// Whether all was let pass: no message and no request was refused.
    #[must_use]
    pub fn is_unhindered(&self) -> bool {
        self.events.iter().all(|event| match event {
            Event::MessageRefused { .. } => false,
            Event::ExchangeStarted { method, url, .. } => method != "CONNECT" && !url.contains('!'),
            _ => true,
        })
    }
}

/// Where requests go.
#[must_use]
pub fn origin() -> Origin {
    Origin { scheme: "https", address: "192.0.2.1:443".into() }
}

/// The mode that the first byte of an input stands for, and the script in the others.
#[must_use]
pub fn read(input: &[u8]) -> Option<(Mode, &[u8])> {
    let (first, script) = input.split_first()?;
    Some((if first & 1 == 0 { Mode::Observe } else { Mode::Enforce }, script))
}

/// Plays `script`, with the bytes of each step coming as a whole or, if `in_pieces`, in the pieces that it says. Every
/// exchange that began must be reported to have ended, once, when all is over.
pub fn play<P: Passage>(new: impl Fn(Arc<dyn Exchanges>) -> P, mode: Mode, script: &[u8], in_pieces: bool) -> Played {
    let book = Book::new(mode);
    let mut scene = Scene { passage: new(book.clone()), inputs: Default::default(), out: Out::default() };
    let mut sent = [Vec::new(), Vec::new()];
    let mut passed = [Vec::new(), Vec::new()];
    let mut is_drained = false;
    for step in Script(script) {
        match step {
            Step::Send { direction, times, piece, bytes } => {
                for _ in 0..times {
                    if sent[0].len() + sent[1].len() + bytes.len() > MOST {
                        break;
                    }
                    for bytes in bytes.chunks(if in_pieces { piece } else { usize::MAX }) {
                        scene.send(direction, bytes, &mut sent);
                    }
                }
            }
            Step::End(direction) => scene.end(direction),
            Step::Drain => {
                is_drained = true;
                scene.passage.drain(&mut scene.out);
            }
        }
        passed[0].extend_from_slice(&scene.out.upstream.split());
        passed[1].extend_from_slice(&scene.out.downstream.split());
    }
    let fate = scene.passage.fate();
    drop(scene);
    let events = std::mem::take(&mut *book.events());
    let begun = events.iter().filter(|event| matches!(event, Event::ExchangeStarted { .. })).count();
    let ended = events.iter().filter(|event| matches!(event, Event::ExchangeFinished { .. })).count();
    assert_eq!(begun, ended, "exchanges that began, and that ended");
    Played { sent, passed, events, fate, is_drained }
}

/// A passage on stage.
struct Scene<P> {
    passage: P,
    inputs: [BytesMut; 2],
    out: Out,
}

impl<P: Passage> Scene<P> {
    fn send(&mut self, direction: Direction, bytes: &[u8], sent: &mut [Vec<u8>; 2]) {
        // The driver reads no more of a side than the passage wants.
        if self.passage.fate() != Fate::Open || !self.passage.wants(direction) {
            return;
        }
        sent[direction as usize].extend_from_slice(bytes);
        self.inputs[direction as usize].extend_from_slice(bytes);
        // What one side sends may let the other go on.
        for direction in [direction, Direction::Request, Direction::Response] {
            self.take(direction);
        }
    }

    fn end(&mut self, direction: Direction) {
        if self.passage.fate() == Fate::Open {
            self.passage.end(direction, &mut self.out);
        }
    }

    fn take(&mut self, direction: Direction) {
        if self.passage.fate() != Fate::Open || !self.passage.wants(direction) {
            return;
        }
        let input = &mut self.inputs[direction as usize];
        self.passage.take(direction, input, &mut self.out);
        assert!(input.len() <= HELD, "{} bytes wait", input.len());
    }
}
