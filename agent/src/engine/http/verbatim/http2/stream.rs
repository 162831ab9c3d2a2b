//! One stream that passes: its exchange, and how far either side has come.

use crate::engine::http::Field;
use crate::engine::http::exchange::{Direction, Exchange, Half};
use crate::engine::http::verbatim::Exchanges;
use crate::engine::policy::Permit;

/// A stream that the policy permits.
pub(super) struct Stream {
    exchange: Exchange,
    halves: [Half; 2],
    ended: [bool; 2],
    is_answered: bool,
    _permit: Permit,
}

impl Stream {
    /// A stream whose request's head passes.
    pub(super) fn new(exchange: Exchange, permit: Permit) -> Self {
        let halves = [exchange.half(Direction::Request), exchange.half(Direction::Response)];
        Self { exchange, halves, ended: [false; 2], is_answered: false, _permit: permit }
    }

    /// A header block other than the request's head passes; `status` if it has one.
    pub(super) fn headers(&mut self, direction: Direction, status: Option<u16>, fields: &[Field]) {
        match status {
            Some(status) if direction == Direction::Response && !self.is_answered => {
                self.is_answered = status >= 200;
                self.exchange.answer(status, fields);
            }
            _ => self.note(direction, |half| half.trailers(fields)),
        }
    }

    /// Content passes.
    pub(super) fn data(&mut self, direction: Direction, content: &[u8]) {
        self.note(direction, |half| half.data(content));
    }

    /// One side is over.
    pub(super) fn end(&mut self, direction: Direction) {
        self.halves[direction as usize].end();
        self.ended[direction as usize] = true;
    }

    /// Whether that side is over.
    pub(super) const fn has_ended(&self, direction: Direction) -> bool {
        self.ended[direction as usize]
    }

    /// Notes what cuts it short.
    pub(super) fn fail(&mut self, error: String) {
        self.exchange.fail(error);
    }

    /// Reports the end.
    pub(super) fn finish(mut self, exchanges: &dyn Exchanges) {
        for direction in [Direction::Request, Direction::Response] {
            self.exchange.settle(direction, std::mem::take(&mut self.halves[direction as usize]));
        }
        if let Some(finished) = self.exchange.finish() {
            exchanges.emit(finished);
        }
    }

    fn note(
        &mut self,
        direction: Direction,
        part: impl FnOnce(&mut Half) -> Result<(), crate::engine::http::exchange::OutOfOrder>,
    ) {
        if let Err(error) = part(&mut self.halves[direction as usize]) {
            self.exchange.fail(error.to_string());
        }
    }
}
