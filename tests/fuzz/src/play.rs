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
const MOST: usize = 512 * 1024;
/// In about how many pieces what waits is read, if it is much: a play is to be over soon.
const PIECES: usize = 16;
/// More than a passage may leave in its input before it has enough of it to go on.
const HELD: usize = MAX_HEAD + READ;
/// Most that is read at once, as the driver does.
const READ: usize = 64 * 1024;

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
    /// Whether one side has sent all.
    pub is_ended: bool,
    /// Whether something of the child's had to wait for the server.
    pub is_child_held: bool,
}

impl Played {
    /// What was reported, in no order: that of exchanges that end at once is left to chance.
    #[must_use]
    pub fn reports(&self) -> Vec<String> {
        let mut reports: Vec<String> = self.events.iter().map(|event| format!("{event:?}")).collect();
        reports.sort();
        reports
    }

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
    let mut scene = Scene::new(new(book.clone()));
    let mut is_drained = false;
    for step in Script(script) {
        match step {
            Step::Send { direction, times, piece, bytes } => {
                scene.piece = if in_pieces { piece } else { usize::MAX };
                (0..times).for_each(|_| scene.send(direction, &bytes));
            }
            Step::End(direction) => scene.end(direction),
            Step::Drain => {
                is_drained = true;
                scene.passage.drain(&mut scene.out);
            }
        }
        scene.pump();
    }
    let (fate, sent, passed) = (scene.passage.fate(), scene.sent, scene.passed);
    let (is_ended, is_child_held) = (scene.told.contains(&true), scene.is_child_held);
    drop(scene.passage);
    let events = std::mem::take(&mut *book.events());
    let begun = events.iter().filter(|event| matches!(event, Event::ExchangeStarted { .. })).count();
    let ended = events.iter().filter(|event| matches!(event, Event::ExchangeFinished { .. })).count();
    assert_eq!(begun, ended, "exchanges that began, and that ended");
    Played { sent, passed, events, fate, is_drained, is_ended, is_child_held }
}

/// A passage between two sockets.
struct Scene<P> {
    passage: P,
    /// What has come and was not read yet.
    sockets: [BytesMut; 2],
    /// How much of that is read at once.
    piece: usize,
    /// Who has sent all, and of whom the passage knows.
    ended: [bool; 2],
    told: [bool; 2],
    inputs: [BytesMut; 2],
    is_child_held: bool,
    out: Out,
    sent: [Vec<u8>; 2],
    passed: [Vec<u8>; 2],
}

impl<P: Passage> Scene<P> {
    fn new(passage: P) -> Self {
        Self {
            passage,
            sockets: Default::default(),
            piece: usize::MAX,
            ended: [false; 2],
            told: [false; 2],
            inputs: Default::default(),
            is_child_held: false,
            out: Out::default(),
            sent: Default::default(),
            passed: Default::default(),
        }
    }

    fn send(&mut self, direction: Direction, bytes: &[u8]) {
        let total = self.sent.iter().map(Vec::len).chain(self.sockets.iter().map(BytesMut::len)).sum::<usize>();
        if !self.ended[direction as usize] && total < MOST {
            self.sockets[direction as usize].extend_from_slice(bytes);
        }
    }

    fn end(&mut self, direction: Direction) {
        self.ended[direction as usize] = true;
    }

    /// Moves what can be moved, as the driver does: what one side sends may let the other go on.
    fn pump(&mut self) {
        while self.step(Direction::Request) | self.step(Direction::Response) {}
    }

    /// Takes what is there in one direction, then reads more of it; whether anything moved.
    fn step(&mut self, direction: Direction) -> bool {
        let at = direction as usize;
        if !self.take(direction) {
            return false;
        }
        let waiting = self.sockets[at].len();
        let more = waiting.min(self.piece.max(waiting / PIECES)).min(READ);
        let bytes = self.sockets[at].split_to(more);
        self.sent[at].extend_from_slice(&bytes);
        self.inputs[at].extend_from_slice(&bytes);
        if more > 0 {
            self.take(direction);
        } else if self.ended[at] && !self.told[at] {
            self.told[at] = true;
            self.passage.end(direction, &mut self.out);
            self.write();
            return true;
        }
        more > 0
    }

    /// Lets the passage take what was read; whether it wants more of it.
    fn take(&mut self, direction: Direction) -> bool {
        let wants = |passage: &P| passage.fate() == Fate::Open && passage.wants(direction);
        if !wants(&self.passage) {
            let has_more = !self.inputs[0].is_empty() || !self.sockets[0].is_empty();
            self.is_child_held |= direction == Direction::Request && has_more;
            return false;
        }
        let input = &mut self.inputs[direction as usize];
        self.passage.take(direction, input, &mut self.out);
        assert!(input.len() <= HELD, "{} bytes wait", input.len());
        self.write();
        wants(&self.passage)
    }

    fn write(&mut self) {
        self.passed[0].extend_from_slice(&self.out.upstream.split());
        self.passed[1].extend_from_slice(&self.out.downstream.split());
    }
}
