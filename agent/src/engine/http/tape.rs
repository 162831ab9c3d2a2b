//! What passes of exchanges, for whoever records it: heads with their fields as they were sent, bodies as their content
//! passes, trailers. Both carriers tell of it through [`Exchange`](super::exchange::Exchange) and
//! [`Half`](super::exchange::Half), so that neither can leave anything out.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::exchange::Direction;
use super::{Field, RequestHead};
use crate::engine::event::{ConnectionId, ExchangeId};

/// A part of an exchange that has passed, or is about to: it is told of before it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// The head of the request.
    Request(ConnectionId, Box<RequestHead>),
    /// The head of a response; several with a status below 200 may come before the last.
    Response(u16, Vec<Field>),
    /// Content of a body or, after a switch, of the tunnel: chunk framing and padding are no part of it.
    Data(Direction, Bytes),
    /// The trailers.
    Trailers(Direction, Vec<Field>),
    /// That direction is complete. After the response that switches, both begin anew.
    End(Direction),
}

/// Takes what passes.
pub trait Tape: Send + Sync {
    /// Takes one part. It never blocks; the parts of one direction come in their order.
    fn passed(&self, exchange: ExchangeId, part: Passed);

    /// Whether more may pass: pending while there is no room, and `cx` is woken when there is again.
    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()>;
}

/// One exchange's place on a tape, if there is one.
#[derive(Clone, Default)]
pub(super) struct Track(Option<(ExchangeId, Arc<dyn Tape>)>);

impl Track {
    pub(super) fn new(exchange: ExchangeId, tape: &Arc<dyn Tape>) -> Self {
        Self(Some((exchange, Arc::clone(tape))))
    }

    /// Tells of a part, which is made only if somebody takes it.
    pub(super) fn tell(&self, part: impl FnOnce() -> Passed) {
        if let Some((exchange, tape)) = &self.0 {
            tape.passed(*exchange, part());
        }
    }
}

impl std::fmt::Debug for Track {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Track" } else { "no Track" })
    }
}
