//! A request that is not over: it, or the response to it, is still on its way.

use bytes::{BufMut as _, BytesMut};
use http::Method;

use crate::engine::http::exchange::{Direction, Exchange, Half};
use crate::engine::http::verbatim::Exchanges;
use crate::engine::http::{Reply, RequestHead};
use crate::engine::policy::Permit;
use crate::engine::wire::http1::Response;

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
        let halves = halves(exchange.as_ref());
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

    /// The head of a response goes to the child.
    pub(super) fn answer(&mut self, head: &Response) {
        self.is_answered |= head.status >= 200 || head.status == 101;
        if let Some(exchange) = &mut self.exchange {
            exchange.answer(head.status, &head.fields);
        }
    }

    /// What follows in either direction is counted as its body.
    pub(super) fn switch(&mut self, head: &Response) {
        self.answer(head);
        self.halves = halves(self.exchange.as_ref());
    }

    /// Gives the answer that is not the server's.
    pub(super) fn give(&mut self, reply: &Reply, last: bool, out: &mut BytesMut) {
        let body = if self.method == Method::HEAD { &[][..] } else { &reply.body };
        if let Some(exchange) = &mut self.exchange {
            exchange.reply(reply, body);
        }
        write(reply, body, last, out);
        self.halves[Direction::Response as usize] = Half::over();
        (self.is_answered, self.is_received) = (true, true);
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

/// Both directions of `exchange`, if it is one.
fn halves(exchange: Option<&Exchange>) -> [Half; 2] {
    let half = |direction| exchange.map_or_else(Half::default, |exchange| exchange.half(direction));
    [half(Direction::Request), half(Direction::Response)]
}

/// Writes a response with that much of its body.
fn write(reply: &Reply, body: &[u8], last: bool, out: &mut BytesMut) {
    let reason = reply.status.canonical_reason().unwrap_or_default();
    let close = if last { "connection: close\r\n" } else { "" };
    out.put_slice(format!("HTTP/1.1 {} {reason}\r\n", reply.status.as_str()).as_bytes());
    for field in reply.head() {
        out.put_slice(&field.name);
        out.put_slice(b": ");
        out.put_slice(&field.value);
        out.put_slice(b"\r\n");
    }
    out.put_slice(format!("{close}\r\n").as_bytes());
    out.put_slice(body);
}
