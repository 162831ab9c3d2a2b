//! What the tests of both versions share: a passage, what came out of it, and what it reported.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::BytesMut;

use super::{Exchanges, Fate, Out, Passage};
use crate::engine::dice::Dice;
use crate::engine::event::{ConnectionId, Event, ExchangeId};
use crate::engine::http::exchange::{Direction, Exchange};
use crate::engine::http::{Origin, Reply, RequestHead};
use crate::engine::policy::rules::subject::ConnFacts;
use crate::engine::policy::{ConnPermit, Mode, Permit, Policy, Verdict};

/// Where the requests of the tests go.
pub(super) fn origin() -> Origin {
    Origin { scheme: "https", address: "192.0.2.1:443".into() }
}

/// Judges by the mode, and keeps what is reported.
pub(super) struct Book {
    mode: Mode,
    /// What comes next is for who ends HTTP.
    pub(super) is_outgrown: AtomicBool,
    next: AtomicU64,
    events: Mutex<Vec<Event>>,
}

impl Book {
    pub(super) fn new(mode: Mode) -> Arc<Self> {
        Arc::new(Self { mode, is_outgrown: AtomicBool::new(false), next: AtomicU64::new(1), events: Mutex::default() })
    }

    fn policy(&self) -> Policy {
        Policy::allowing(self.mode)
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// Status and error of each exchange that has ended, in the order in which they ended.
    pub(super) fn ends(&self) -> Vec<(Option<u16>, Option<String>)> {
        let end = |event| match event {
            Event::ExchangeFinished { status, error, .. } => Some((status, error)),
            _ => None,
        };
        self.events().into_iter().filter_map(end).collect()
    }

    /// What was wrong with the messages that were refused.
    pub(super) fn refused(&self) -> Vec<String> {
        let reason = |event| match event {
            Event::MessageRefused { reason, .. } => Some(reason),
            _ => None,
        };
        self.events().into_iter().filter_map(reason).collect()
    }
}

impl Exchanges for Book {
    fn begin(&self, head: &RequestHead) -> Option<(Exchange, Result<Permit, Reply>)> {
        if self.is_outgrown.load(Ordering::Relaxed) {
            return None;
        }
        let id = ExchangeId(self.next.fetch_add(1, Ordering::Relaxed));
        let (exchange, started) = Exchange::begin(ConnectionId(1), id, head);
        self.emit(started);
        let connection = ConnFacts::to("192.0.2.1:443".parse().unwrap());
        match self.policy().decide(head, connection).verdict {
            Verdict::Forward(permit) => Some((exchange, Ok(permit))),
            Verdict::Refuse(reply) => Some((exchange, Err(reply))),
            _ => panic!("the mode alone says nothing else"),
        }
    }

    fn permit_tunnel(&self, protocol: &str) -> Option<ConnPermit> {
        self.policy().permit_tunnel(protocol)
    }

    fn emit(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }
}

/// A passage between a child and a server that the test plays.
pub(super) struct Play<P> {
    pub(super) passage: P,
    pub(super) book: Arc<Book>,
    pub(super) out: Out,
    inputs: [BytesMut; 2],
    segment: usize,
}

impl<P: Passage> Play<P> {
    /// A play in which bytes come `segment` at a time.
    pub(super) fn new(passage: P, book: Arc<Book>, segment: usize) -> Self {
        Self { passage, book, out: Out::default(), inputs: Default::default(), segment }
    }

    /// The child sends.
    pub(super) fn child(&mut self, bytes: &[u8]) {
        self.send(Direction::Request, bytes);
    }

    /// The server sends.
    pub(super) fn server(&mut self, bytes: &[u8]) {
        self.send(Direction::Response, bytes);
    }

    fn send(&mut self, direction: Direction, bytes: &[u8]) {
        for piece in bytes.chunks(self.segment) {
            self.inputs[direction as usize].extend_from_slice(piece);
            // As its driver does, whatever came: what one side sends may let the other go on.
            for direction in [direction, Direction::Request, Direction::Response] {
                if self.passage.fate() == Fate::Open && self.passage.wants(direction) {
                    self.passage.take(direction, &mut self.inputs[direction as usize], &mut self.out);
                }
            }
        }
    }

    /// One side has sent all.
    pub(super) fn end(&mut self, direction: Direction) {
        self.passage.end(direction, &mut self.out);
    }

    /// What the child sent and nobody has taken.
    pub(super) fn untaken(&self) -> &[u8] {
        &self.inputs[Direction::Request as usize]
    }

    /// What went to the server since the last time.
    pub(super) fn upstream(&mut self) -> Vec<u8> {
        self.out.upstream.split().to_vec()
    }

    /// What went to the child since the last time.
    pub(super) fn downstream(&mut self) -> Vec<u8> {
        self.out.downstream.split().to_vec()
    }
}

/// Plays `child` and `server` many times, changed at random, each time in two kinds of pieces: nothing that comes out
/// depends on them. Where a request is refused something may: how much of it has come by then decides whether the
/// connection goes on; `or_refused` leaves those plays out.
pub(super) fn is_the_same_in_pieces<P: Passage>(
    new: impl Fn(Arc<Book>) -> P,
    child: &[u8],
    server: &[u8],
    or_refused: bool,
) {
    let (mut dice, mut compared) = (Dice(2), 0);
    for _ in 0..1_000 {
        let (child, server) = (dice.spoil(child), dice.spoil(server));
        let outcomes = [usize::MAX, 1 + dice.below(16)].map(|segment| {
            let book = Book::new(Mode::Observe);
            let mut play = Play::new(new(book.clone()), book, segment);
            play.child(&child);
            play.server(&server);
            (play.upstream(), play.downstream(), play.passage.fate(), play.book.refused())
        });
        let [whole, pieces] = outcomes;
        if or_refused || whole.3.is_empty() && pieces.3.is_empty() {
            assert_eq!(whole, pieces, "{} {}", child.escape_ascii(), server.escape_ascii());
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} plays were compared");
}

/// Plays `child` and `server` many times with bytes changed, lost or repeated at random: whatever comes, it is passed,
/// refused or waited for, and every exchange that began is reported to have ended.
pub(super) fn survives<P: Passage>(new: impl Fn(Arc<Book>) -> P, child: &[u8], server: &[u8]) {
    let mut dice = Dice(1);
    for _ in 0..2_000 {
        let book = Book::new(Mode::Observe);
        let mut play = Play::new(new(book.clone()), book, 1 + dice.below(64));
        play.child(&dice.spoil(child));
        play.server(&dice.spoil(server));
        if dice.below(2) == 0 {
            play.end(Direction::Response);
        }
        drop(play.passage);
        let begun = |event: &&Event| matches!(event, Event::ExchangeStarted { .. });
        assert_eq!(play.book.events().iter().filter(begun).count(), play.book.ends().len());
    }
}
