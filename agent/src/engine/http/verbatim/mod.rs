//! The verbatim carrier: bytes go on as they came, and are read beside, strictly. A head waits for its verdict; what is
//! refused is answered here; what may be read in two ways goes no further. One [`Passage`] follows one connection of the
//! child and the one that it has upstream. Whoever drives it reads and writes the sockets.

mod http1;
mod http2;
#[cfg(test)]
mod playbook;

use bytes::BytesMut;

pub use self::http1::Http1;
pub use self::http2::Http2;
use super::exchange::{Direction, Exchange};
use super::{Reply, RequestHead};
use crate::engine::event::{ConnectionId, Event};
use crate::engine::policy::{ConnPermit, Permit};

/// Who keeps the exchanges of a connection, and judges them.
pub trait Exchanges: Send + Sync {
    /// Judges a request by its head, and begins an exchange that goes on or has this answer; none, if by now only who
    /// ends HTTP can do what rules say.
    fn begin(&self, head: &RequestHead) -> Option<(Exchange, Result<Permit, Reply>)>;
    /// Judges whether what was HTTP may become a tunnel for `protocol`.
    fn permit_tunnel(&self, protocol: &str) -> Option<ConnPermit>;
    /// Reports a fact.
    fn emit(&self, event: Event);
}

/// What is to be written.
#[derive(Debug, Default)]
pub struct Out {
    /// To the server.
    pub upstream: BytesMut,
    /// To the child.
    pub downstream: BytesMut,
}

impl Out {
    /// Lets `bytes` go on in the direction that they came in.
    pub fn pass(&mut self, direction: Direction, bytes: BytesMut) {
        let out = self.along(direction);
        if out.is_empty() { *out = bytes } else { out.extend_from_slice(&bytes) }
    }

    /// What goes on in the direction that it came in.
    pub const fn along(&mut self, direction: Direction) -> &mut BytesMut {
        match direction {
            Direction::Request => &mut self.upstream,
            Direction::Response => &mut self.downstream,
        }
    }
}

/// How a connection fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Bytes pass.
    Open,
    /// What is to be written is written, then the child's side is closed, then the server's. What the child still sends
    /// is not read.
    Close,
    /// Both sides are reset.
    Reset,
    /// What is to be written is written, then who ends HTTP carries on.
    Outgrown,
}

/// One connection, followed.
pub trait Passage: Send {
    /// Takes what came in `direction`, as far as it can be judged by now; the rest stays in `input`, for the next call.
    fn take(&mut self, direction: Direction, input: &mut BytesMut, out: &mut Out);

    /// Notes that whoever sends in `direction` has sent all; the driver passes that on by itself.
    fn end(&mut self, direction: Direction, out: &mut Out);

    /// Whether it makes sense to read more of `direction` now.
    fn wants(&self, direction: Direction) -> bool;

    /// How the connection fares.
    fn fate(&self) -> Fate;

    /// Whether no exchange is open.
    fn is_idle(&self) -> bool;

    /// Lets no exchange begin any more.
    fn drain(&mut self, out: &mut Out);

    /// Lets no exchange begin here any more, because rules have come that only who ends HTTP can follow.
    fn outgrow(&mut self, out: &mut Out);
}

/// The event of a message that is refused.
fn refused(connection: ConnectionId, direction: Direction, reason: &dyn std::fmt::Display) -> Event {
    let side = match direction {
        Direction::Request => "downstream",
        Direction::Response => "upstream",
    };
    Event::MessageRefused { connection, side, reason: reason.to_string() }
}
