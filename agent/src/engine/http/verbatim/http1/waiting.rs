//! A request that is not over: it, or the response to it, is still on its way.

use bytes::{BufMut as _, BytesMut};
use http::Method;

use crate::engine::http::exchange::{Direction, Exchange, Half};
use crate::engine::http::verbatim::Exchanges;
use crate::engine::http::{Reply, RequestHead};
use crate::engine::policy::Permit;

/// One request, in the order in which responses must come.
pub(super) struct Waiting {
    /// None if its head could not be read.
    exchange: Option<Exchange>,
    halves: [Half; 2],
    /// The method, which decides whether the response has a body.
    pub(super) method: Method,
    /// What the connection is to become, until the server has said whether it does.
    pub(super) tunnel: Option<String>,
    /// What lets it pass; without, it is swallowed.
    pub(super) permit: Option<Permit>,
    /// The answer to it that is not the server's, until it is given.
    pub(super) reply: Option<Reply>,
    /// The request is over.
    pub(super) is_sent: bool,
    /// Some of the final response went to the child.
    pub(super) is_answered: bool,
    /// The response is over.
    pub(super) is_received: bool,
}

impl Waiting {
    /// A request that passes.
    pub(super) fn permitted(exchange: Exchange, head: RequestHead, permit: Permit) -> Self {
        Self { permit: Some(permit), ..Self::new(Some(exchange), head.method, head.tunnel) }
    }

    /// A request that is answered here.
    pub(super) fn refused(exchange: Exchange, head: RequestHead, reply: Reply) -> Self {
        Self { reply: Some(reply), ..Self::new(Some(exchange), head.method, None) }
    }

    /// What should have been a request.
    pub(super) fn unreadable(reply: Reply) -> Self {
        Self { reply: Some(reply), ..Self::new(None, Method::GET, None) }
    }

    fn new(exchange: Option<Exchange>, method: Method, tunnel: Option<String>) -> Self {
        let halves = [Half::default(), Half::default()];
        let (permit, reply) = (None, None);
        Self { exchange, halves, method, tunnel, permit, reply, is_sent: false, is_answered: false, is_received: false }
    }

    /// What passed of one direction.
    pub(super) const fn half(&mut self, direction: Direction) -> &mut Half {
        &mut self.halves[direction as usize]
    }

    /// Notes what cuts it short.
    pub(super) fn fail(&mut self, error: impl Into<String>) {
        if let Some(exchange) = &mut self.exchange {
            exchange.fail(error.into());
        }
    }

    /// The head of the final response goes to the child.
    pub(super) const fn answer(&mut self, status: u16) {
        self.is_answered = true;
        if let Some(exchange) = &mut self.exchange {
            exchange.answer(status);
        }
    }

    /// What follows in either direction is counted as its body.
    pub(super) fn switch(&mut self, status: u16) {
        self.answer(status);
        self.halves = Default::default();
    }

    /// Gives the answer that is not the server's.
    pub(super) fn give(&mut self, reply: &Reply, last: bool, out: &mut BytesMut) {
        self.answer(reply.status.as_u16());
        let length = write(reply, self.method == Method::HEAD, last, out);
        self.halves[Direction::Response as usize] = Half::whole(length as u64);
        self.is_received = true;
    }

    /// Reports the end.
    pub(super) fn finish(mut self, exchanges: &dyn Exchanges) {
        let Some(mut exchange) = self.exchange.take() else { return };
        for direction in [Direction::Request, Direction::Response] {
            exchange.settle(direction, std::mem::take(self.half(direction)));
        }
        if let Some(finished) = exchange.finish() {
            exchanges.emit(finished);
        }
    }
}

/// Writes a response; returns how many bytes its body has.
fn write(reply: &Reply, headless: bool, last: bool, out: &mut BytesMut) -> usize {
    let body = if headless { &[][..] } else { &reply.body };
    let reason = reply.status.canonical_reason().unwrap_or_default();
    let close = if last { "connection: close\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: {}\r\ncontent-length: {}\r\n{close}\r\n",
        reply.status.as_str(),
        reply.content_type,
        reply.body.len(),
    );
    out.put_slice(head.as_bytes());
    out.put_slice(body);
    body.len()
}
