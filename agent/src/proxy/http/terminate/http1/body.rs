//! Bodies on their way, counted as they pass. Nothing is copied, kept or reordered; what one side does not take, the
//! other does not send.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Method;
use http_body_util::{Either, Full};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use super::child::Entered;
use crate::engine::http::exchange::{Direction, Exchange, Half, OutOfOrder};
use crate::engine::http::{Field, Reply, RequestHead};
use crate::engine::policy::Verdict;
use crate::proxy::connection::Connection;
use crate::proxy::error::is_reset;

/// The body of a response: the server's, or one of ours.
pub(super) type Body = Either<Metered, Full<Bytes>>;

type BoxError = Box<dyn StdError + Send + Sync>;

/// An exchange and its connection. Its end is reported when the last of those who work for it lets go.
pub(super) struct Tracked {
    connection: Arc<Connection>,
    exchange: Mutex<Exchange>,
    /// It asks for no body.
    is_head: bool,
}

impl Tracked {
    /// Begins an exchange and reports it, and judges its head.
    pub(super) fn begin(connection: &Arc<Connection>, head: &RequestHead) -> (Arc<Self>, Verdict) {
        let (exchange, verdict) = connection.begin_exchange(head, |event| connection.emit(event));
        let exchange = Mutex::new(exchange);
        let tracked = Self { connection: Arc::clone(connection), exchange, is_head: head.method == Method::HEAD };
        (Arc::new(tracked), verdict)
    }

    /// Notes the head that goes to the child.
    pub(super) fn answer<B>(&self, response: &hyper::Response<B>) {
        self.with(|exchange| exchange.answer(response.status().as_u16(), &Field::all(response.headers())));
    }

    /// Notes an answer of the agent's own.
    pub(super) fn reply(&self, reply: &Reply) {
        let body = if self.is_head { &[][..] } else { &reply.body };
        self.with(|exchange| exchange.reply(reply, body));
    }

    /// One direction, of which nothing has passed yet.
    pub(super) fn half(&self, direction: Direction) -> Half {
        self.with(|exchange| exchange.half(direction))
    }

    /// Notes what cut the exchange short.
    pub(super) fn fail(&self, error: String) {
        self.with(|exchange| exchange.fail(error));
    }

    /// Adds what went one way.
    pub(super) fn settle(&self, direction: Direction, half: Half) {
        self.with(|exchange| exchange.settle(direction, half));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Exchange) -> T) -> T {
        act(&mut self.exchange.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if let Some(finished) = self.with(Exchange::finish) {
            self.connection.emit(finished);
        }
    }
}

/// A body that is counted. When it is over, or dropped before, it is settled with its exchange.
pub(super) struct Metered {
    body: Incoming,
    direction: Direction,
    half: Half,
    tracked: Option<Arc<Tracked>>,
    /// Reset if the response is, for HTTP/1 has no smaller unit to reset: what breaks off must not look like what ends
    /// with its connection.
    unit: Option<Arc<Connection>>,
    /// Held until this is dropped.
    entered: Option<Entered>,
}

impl Metered {
    /// The body of a request.
    pub(super) fn request(body: Incoming, tracked: &Arc<Tracked>) -> Self {
        Self::new(body, Direction::Request, tracked)
    }

    /// The body of a response, which keeps its exchange open and passes a reset on to `unit`.
    pub(super) fn response(body: Incoming, tracked: &Arc<Tracked>, entered: Entered, unit: &Arc<Connection>) -> Self {
        let mut metered = Self::new(body, Direction::Response, tracked);
        (metered.unit, metered.entered) = (Some(Arc::clone(unit)), Some(entered));
        metered
    }

    /// What a response that switches has in the place of a body: what follows it is the tunnel's.
    pub(super) fn none(body: Incoming, entered: Entered) -> Self {
        let (half, direction) = (Half::default(), Direction::Response);
        Self { body, direction, half, tracked: None, unit: None, entered: Some(entered) }
    }

    fn new(body: Incoming, direction: Direction, tracked: &Arc<Tracked>) -> Self {
        let half = tracked.half(direction);
        Self { body, direction, half, tracked: Some(Arc::clone(tracked)), unit: None, entered: None }
    }

    fn note(&mut self, frame: &Frame<Bytes>) -> Result<(), OutOfOrder> {
        match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => self.half.data(data),
            (None, Some(trailers)) => self.half.trailers(&Field::all(trailers)),
            (None, None) => Ok(()),
        }
    }

    fn broke(&mut self, error: hyper::Error) -> BoxError {
        self.half.fail(error.to_string());
        if let Some(connection) = self.unit.as_ref().filter(|_| is_reset(&error)) {
            connection.reset();
        }
        self.settle();
        error.into()
    }

    fn settle(&mut self) {
        if let Some(tracked) = self.tracked.take() {
            tracked.settle(self.direction, std::mem::take(&mut self.half));
        }
    }
}

impl hyper::body::Body for Metered {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(tracked) = &self.tracked {
            ready!(tracked.connection.poll_room(cx));
        }
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => Poll::Ready(Some(self.note(&frame).map(|()| frame).map_err(Into::into))),
            Some(Err(error)) => Poll::Ready(Some(Err(self.broke(error)))),
            None => {
                self.half.end();
                self.settle();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    /// Unknown, always: the head says what length there is to say, and hyper would add a field where it says none.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.half.end();
        }
        self.settle();
    }
}
