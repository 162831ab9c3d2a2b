//! One exchange: head, verdict, body, trailers, end, in both directions. It counts and keeps order; bodies, clocks and
//! answers are its driver's. The two directions run at once and in different tasks, so each is a [`Half`] of its own
//! that is settled with the exchange when it is over.

use thiserror::Error;

use super::RequestHead;
use crate::engine::event::{ConnectionId, Event, ExchangeId};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the child to the server.
    Request,
    /// From the server to the child.
    Response,
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
    /// A direction that ended after `bytes` without being followed frame by frame.
    #[must_use]
    pub const fn whole(bytes: u64) -> Self {
        Self { bytes, phase: Phase::Ended }
    }

    /// `bytes` of body passed.
    ///
    /// # Errors
    /// The body was over.
    pub fn data(&mut self, bytes: u64) -> Result<(), OutOfOrder> {
        self.expect_data("data")?;
        self.bytes += bytes;
        Ok(())
    }

    /// The trailers passed.
    ///
    /// # Errors
    /// The body was over.
    pub fn trailers(&mut self) -> Result<(), OutOfOrder> {
        self.expect_data("trailers")?;
        self.phase = Phase::Trailers;
        Ok(())
    }

    /// The message is complete. A failure stays one.
    pub fn end(&mut self) {
        if !matches!(self.phase, Phase::Failed(_)) {
            self.phase = Phase::Ended;
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
}

impl Exchange {
    /// Begins with a request's head.
    #[must_use]
    pub fn begin(connection: ConnectionId, id: ExchangeId, head: &RequestHead) -> (Self, Event) {
        let exchange = Self { id, finished: false, status: None, bytes: [0; 2], error: None };
        let started = Event::ExchangeStarted {
            connection,
            exchange: id,
            version: head.version,
            method: head.method.to_string(),
            url: head.url(),
        };
        (exchange, started)
    }

    /// Which exchange it is.
    #[must_use]
    pub const fn id(&self) -> ExchangeId {
        self.id
    }

    /// The final response's head went to the child.
    pub const fn answer(&mut self, status: u16) {
        self.status = Some(status);
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
