//! One exchange: head, verdict, body, trailers, end, in both directions. It counts and keeps order; bodies, clocks and
//! answers are its driver's. The two directions run at once and in different tasks, so each is a [`Half`] of its own
//! that is settled with the exchange when it is over.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use super::tape::{Passed, Tape, Track};
use super::{Field, Reply, RequestHead};
use crate::engine::event::{ConnectionId, Event, ExchangeId};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the child to the server.
    #[default]
    Request,
    /// From the server to the child.
    Response,
}

impl Direction {
    /// Both, the first first.
    pub const BOTH: [Self; 2] = [Self::Request, Self::Response];

    /// `request` or `response`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// A part of a message that has no place where it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{part} after the {after} of a message")]
pub struct OutOfOrder {
    part: &'static str,
    after: &'static str,
}

/// One direction of an exchange after its head: data, at most one block of trailers, the end.
#[derive(Debug, Default)]
pub struct Half {
    bytes: u64,
    phase: Phase,
    track: Track,
    direction: Direction,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Data,
    Trailers,
    Ended,
    Failed(String),
}

impl Half {
    /// Which it is.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// A direction that was settled by other means.
    #[must_use]
    pub fn over() -> Self {
        Self { phase: Phase::Ended, ..Self::default() }
    }

    /// Some of the body passed.
    ///
    /// # Errors
    /// The body was over.
    pub fn data(&mut self, content: &[u8]) -> Result<(), OutOfOrder> {
        self.expect_data("data")?;
        self.bytes += content.len() as u64;
        if !content.is_empty() {
            self.track.tell(|| Passed::Data(self.direction, Bytes::copy_from_slice(content)));
        }
        Ok(())
    }

    /// The trailers passed.
    ///
    /// # Errors
    /// The body was over.
    pub fn trailers(&mut self, fields: &[Field]) -> Result<(), OutOfOrder> {
        self.expect_data("trailers")?;
        self.phase = Phase::Trailers;
        self.track.tell(|| Passed::Trailers(self.direction, fields.to_vec()));
        Ok(())
    }

    /// The message is complete. A failure stays one.
    pub fn end(&mut self) {
        if matches!(self.phase, Phase::Data | Phase::Trailers) {
            self.phase = Phase::Ended;
            self.track.tell(|| Passed::End(self.direction));
        }
    }

    /// Whoever sends the message broke off. A complete message stays complete.
    pub fn fail(&mut self, error: String) {
        if self.phase != Phase::Ended {
            self.phase = Phase::Failed(error);
        }
    }

    fn expect_data(&self, part: &'static str) -> Result<(), OutOfOrder> {
        let after = match self.phase {
            Phase::Data => return Ok(()),
            Phase::Trailers => "trailers",
            Phase::Ended | Phase::Failed(_) => "end",
        };
        Err(OutOfOrder { part, after })
    }
}

/// The exchange as a whole. Its end is reported once, however often and early [`Exchange::finish`] is called.
#[derive(Debug)]
pub struct Exchange {
    id: ExchangeId,
    finished: bool,
    status: Option<u16>,
    bytes: [u64; 2],
    error: Option<String>,
    track: Track,
}

impl Exchange {
    /// Begins with a request's head.
    #[must_use]
    pub fn begin(connection: ConnectionId, id: ExchangeId, head: &RequestHead) -> (Self, Event) {
        let exchange = Self { id, finished: false, status: None, bytes: [0; 2], error: None, track: Track::default() };
        let started = Event::ExchangeStarted {
            connection,
            exchange: id,
            version: head.version,
            method: head.method.to_string(),
            url: head.url(),
            rule: None,
        };
        (exchange, started)
    }

    /// Which exchange it is.
    #[must_use]
    pub const fn id(&self) -> ExchangeId {
        self.id
    }

    /// Has all of it recorded from here on, its request's head first.
    pub fn record(&mut self, connection: ConnectionId, head: &RequestHead, tape: &Arc<dyn Tape>) {
        self.track = Track::new(self.id, tape);
        self.track.tell(|| Passed::Request(connection, Box::new(head.clone())));
    }

    /// One direction of it, of which nothing has passed yet.
    #[must_use]
    pub fn half(&self, direction: Direction) -> Half {
        Half { bytes: 0, phase: Phase::Data, track: self.track.clone(), direction }
    }

    /// A response's head goes to the child; the final one, unless its status is below 200 and does not switch.
    pub fn answer(&mut self, status: u16, fields: &[Field]) {
        if status >= 200 || status == 101 {
            self.status = Some(status);
        }
        self.track.tell(|| Passed::Response(status, fields.to_vec()));
    }

    /// An answer of the agent's own goes to the child, with so much of its body.
    pub fn reply(&mut self, reply: &Reply, body: &[u8]) {
        self.answer(reply.status.as_u16(), &reply.head());
        let mut half = self.half(Direction::Response);
        // A half that is new takes data.
        half.data(body).unwrap_or_default();
        half.end();
        self.settle(Direction::Response, half);
    }

    /// One direction is over: ended, failed, or dropped by whoever should have taken the rest. A server may stop
    /// reading a request that it has answered, so only the response must be complete.
    pub fn settle(&mut self, direction: Direction, half: Half) {
        self.bytes[direction as usize] += half.bytes;
        match (half.phase, direction) {
            (Phase::Failed(error), _) => self.fail(error),
            (Phase::Data | Phase::Trailers, Direction::Response) => self.fail("downstream stopped reading".into()),
            (Phase::Ended, _) | (_, Direction::Request) => {}
        }
    }

    /// Notes what cut the exchange short; the first error is the cause and stays.
    pub fn fail(&mut self, error: String) {
        self.error.get_or_insert(error);
    }

    /// Ends it. `None` if it was ended before.
    pub fn finish(&mut self) -> Option<Event> {
        if std::mem::replace(&mut self.finished, true) {
            return None;
        }
        if self.status.is_none() {
            self.fail("ended before a response".into());
        }
        let [request_bytes, response_bytes] = self.bytes;
        Some(Event::ExchangeFinished {
            exchange: self.id,
            status: self.status,
            request_bytes,
            response_bytes,
            error: self.error.take(),
        })
    }
}

#[cfg(test)]
mod tests;
