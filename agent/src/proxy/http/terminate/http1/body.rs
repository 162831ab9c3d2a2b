//! Bodies on their way, counted as they pass. Nothing is copied, kept or reordered; what one side does not take, the
//! other does not send.

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep, timeout};

use super::super::LINGER;
use super::super::admission::Limited;
use super::answer::Given;
use super::child::Entered;
use crate::engine::edit::Transform;
use crate::engine::event::ExchangeId;
use crate::engine::http::exchange::{Direction, Exchange, Half, OutOfOrder};
use crate::engine::http::{Field, Reply, RequestHead};
use crate::proxy::connection::{Connection, Judged};
use crate::proxy::error::is_reset;

/// The body of a request: the child's, or what rules made of all of it.
pub(super) type Outgoing = Either<Metered, Full<Bytes>>;

/// The body of a response: the server's, or one of ours.
pub(super) type Body = Either<Metered, Given>;

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// An exchange and its connection. Its end is reported when the last of those who work for it lets go.
pub(super) struct Tracked {
    connection: Arc<Connection>,
    exchange: Mutex<Exchange>,
    /// It asks for no body.
    is_head: bool,
    limited: OnceLock<Limited>,
}

impl Tracked {
    /// Begins an exchange and reports it, and judges its head.
    pub(super) fn begin(connection: &Arc<Connection>, head: &RequestHead) -> (Arc<Self>, Judged) {
        let (exchange, judged) =
            connection.begin_exchange(head, connection.judge(head), |event| connection.emit(event));
        let exchange = Mutex::new(exchange);
        let (connection, is_head) = (Arc::clone(connection), head.method == Method::HEAD);
        let tracked = Self { connection, exchange, is_head, limited: OnceLock::new() };
        (Arc::new(tracked), judged)
    }

    /// Notes the head that goes to the child.
    pub(super) fn answer<B>(&self, response: &hyper::Response<B>) {
        self.with(|exchange| exchange.answer(response.status().as_u16(), &Field::all(response.headers())));
    }

    /// The answer that the agent gives itself.
    pub(super) fn reply(self: &Arc<Self>, mut reply: Reply) -> hyper::Response<Body> {
        self.with(|exchange| exchange.answer(reply.status.as_u16(), &reply.head()));
        if self.is_head {
            (reply.body, reply.pieces, reply.trailers) = (Bytes::new(), Vec::new(), Vec::new());
        }
        let mut response = hyper::Response::new(());
        *response.status_mut() = reply.status;
        *response.headers_mut() = Field::map(&reply.fields);
        response.map(|()| Either::Right(Given::new(reply, self)))
    }

    /// One direction, of which nothing has passed yet.
    pub(super) fn half(&self, direction: Direction) -> Half {
        self.with(|exchange| exchange.half(direction))
    }

    /// Has it count against limits.
    pub(super) fn limit(&self, limited: Option<Limited>) {
        if let Some(limited) = limited {
            drop(self.limited.set(limited));
        }
    }

    /// Which exchange it is.
    pub(super) fn id(&self) -> ExchangeId {
        self.with(|exchange| exchange.id())
    }

    /// Notes what cut the exchange short.
    pub(super) fn fail(&self, error: String) {
        self.with(|exchange| exchange.fail(error));
    }

    /// Adds what went one way.
    pub(super) fn settle(&self, direction: Direction, half: Half) {
        self.with(|exchange| exchange.settle(direction, half));
    }

    /// Waits until more may pass.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.poll_room(cx)
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
    /// What rules make of it, and what came of it that is not sent yet.
    transform: Option<Transform>,
    waiting: VecDeque<Frame<Bytes>>,
    is_over: bool,
    /// Until when limits hold the next bytes back.
    pause: Option<Pin<Box<Sleep>>>,
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
        Self::of(body, direction, half, None, Some(entered))
    }

    /// Takes what comes, for nobody, while it goes on.
    pub(super) async fn take_all(mut self) {
        while let Ok(Some(Ok(_))) = timeout(LINGER, self.frame()).await {}
    }

    fn new(body: Incoming, direction: Direction, tracked: &Arc<Tracked>) -> Self {
        let half = tracked.half(direction);
        Self::of(body, direction, half, Some(Arc::clone(tracked)), None)
    }

    fn of(
        body: Incoming,
        direction: Direction,
        half: Half,
        tracked: Option<Arc<Tracked>>,
        entered: Option<Entered>,
    ) -> Self {
        Self {
            body,
            direction,
            half,
            tracked,
            transform: None,
            waiting: VecDeque::new(),
            is_over: false,
            pause: None,
            unit: None,
            entered,
        }
    }

    /// The same, as rules change it.
    pub(super) fn through(mut self, transform: Option<Transform>) -> Self {
        self.transform = transform;
        self
    }

    /// What a frame becomes. What is noted is what the child says and is told.
    fn take(&mut self, frame: Frame<Bytes>) -> Result<(), BoxError> {
        let limited = self.tracked.as_ref().and_then(|tracked| tracked.limited.get());
        if let (Some(limited), Some(data)) = (limited, frame.data_ref()) {
            let wait = limited.pace(self.direction, data.len())?;
            self.pause = (!wait.is_zero()).then(|| Box::pin(sleep(wait)));
        }
        let Some(transform) = &mut self.transform else {
            self.note(&frame)?;
            self.waiting.push_back(frame);
            return Ok(());
        };
        let mut changed = Vec::new();
        match frame.into_data() {
            Ok(data) => {
                transform.push(&data, &mut changed)?;
                let noted = if self.direction == Direction::Request { &data[..] } else { &changed };
                self.half.data(noted)?;
                self.give(changed);
            }
            Err(trailers) => {
                self.finish()?;
                self.note(&trailers)?;
                self.waiting.push_back(trailers);
            }
        }
        Ok(())
    }

    /// The body is over: what is still to come of it.
    fn finish(&mut self) -> Result<(), BoxError> {
        let Some(transform) = &mut self.transform else { return Ok(()) };
        let mut changed = Vec::new();
        transform.end(&mut changed)?;
        if self.direction == Direction::Response && !changed.is_empty() {
            self.half.data(&changed)?;
        }
        self.give(changed);
        Ok(())
    }

    fn give(&mut self, changed: Vec<u8>) {
        if !changed.is_empty() {
            self.waiting.push_back(Frame::data(changed.into()));
        }
    }

    /// Ends what cannot go on as rules want it.
    fn break_off(&mut self, error: BoxError) -> BoxError {
        self.half.fail(format!("a rule could not be followed: {error}"));
        if let Some(connection) = &self.unit {
            connection.reset();
        }
        self.settle();
        error
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
            ready!(tracked.poll_room(cx));
        }
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            if let Some(frame) = self.waiting.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if self.is_over {
                self.half.end();
                self.settle();
                return Poll::Ready(None);
            }
            let taken = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => self.take(frame),
                Some(Err(error)) => return Poll::Ready(Some(Err(self.broke(error)))),
                None => {
                    self.is_over = true;
                    self.finish()
                }
            };
            if let Err(error) = taken {
                return Poll::Ready(Some(Err(self.break_off(error))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        if self.transform.is_some() { self.is_over && self.waiting.is_empty() } else { self.body.is_end_stream() }
    }

    /// Unknown, always: the head says what length there is to say, and hyper would add a field where it says none.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        if self.is_end_stream() {
            self.half.end();
        }
        self.settle();
    }
}
