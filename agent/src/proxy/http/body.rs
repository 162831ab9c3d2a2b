//! Bodies on their way, counted as they pass. Nothing is copied, kept or reordered; what one side does not take, the
//! other does not send.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use crate::engine::event::ExchangeId;
use crate::engine::http::RequestHead;
use crate::engine::http::exchange::{Direction, Exchange, Half, OutOfOrder};
use crate::engine::policy::Verdict;
use crate::proxy::connection::Connection;
use crate::proxy::error::is_reset;

/// The body of a response: the server's, or one of ours.
pub(crate) type Body = Either<Metered, Full<Bytes>>;

type BoxError = Box<dyn StdError + Send + Sync>;

/// An exchange and its connection. Its end is reported when the last of those who work for it lets go.
pub(crate) struct Tracked {
    connection: Arc<Connection>,
    exchange: Mutex<Exchange>,
}

impl Tracked {
    /// Begins an exchange and reports it.
    pub(crate) fn begin(connection: &Arc<Connection>, id: ExchangeId, head: &RequestHead) -> Arc<Self> {
        let (exchange, started) = Exchange::begin(connection.id, id, head);
        connection.emit(started);
        Arc::new(Self { connection: Arc::clone(connection), exchange: Mutex::new(exchange) })
    }

    /// Asks the policy.
    pub(crate) fn judge(&self, head: &RequestHead) -> Verdict {
        self.with(|exchange| exchange.judge(&self.connection.proxy.policy, head))
    }

    /// Notes the status that goes to the child.
    pub(crate) fn answer(&self, status: http::StatusCode) {
        self.with(|exchange| exchange.answer(status.as_u16()));
    }

    /// Notes what cut the exchange short.
    pub(crate) fn fail(&self, error: String) {
        self.with(|exchange| exchange.fail(error));
    }

    /// Adds what went one way.
    pub(crate) fn settle(&self, direction: Direction, half: Half) {
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
pub(crate) struct Metered {
    body: Incoming,
    direction: Direction,
    half: Half,
    tracked: Option<Arc<Tracked>>,
    /// A broken message must not look like one that ends with its connection.
    reset_with: Option<Arc<Connection>>,
}

impl Metered {
    /// `body`, which goes in `direction`. `whole_connection`: a reset under it is passed on to the whole connection,
    /// as HTTP/1 has no smaller unit.
    pub(crate) fn new(body: Incoming, direction: Direction, tracked: &Arc<Tracked>, whole_connection: bool) -> Self {
        let reset_with = whole_connection.then(|| Arc::clone(&tracked.connection));
        Self { body, direction, half: Half::default(), tracked: Some(Arc::clone(tracked)), reset_with }
    }

    fn note(&mut self, frame: &Frame<Bytes>) -> Result<(), OutOfOrder> {
        match frame.data_ref() {
            Some(data) => self.half.data(data.len() as u64),
            None => self.half.trailers(),
        }
    }

    fn broke(&mut self, error: hyper::Error) -> BoxError {
        self.half.fail(error.to_string());
        if let Some(connection) = self.reset_with.as_ref().filter(|_| is_reset(&error)) {
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
