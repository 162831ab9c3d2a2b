//! What the child is told in the server's place, where HTTP is already spoken.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::body::{BoxError, Tracked};
use crate::engine::http::exchange::{Direction, Half};
use crate::engine::http::reply::Piece;
use crate::engine::http::{Field, Reply};
use crate::proxy::error::{Error, Kind, Side};

/// The answer to a request that failed with `error`: 502 or 504 with a text that names the hop. What the child broke
/// itself, and a reset of its stream alone, have no answer but the same.
///
/// # Errors
/// `error`, if there is nothing to answer.
pub(super) fn to(error: Error) -> Result<Reply, Error> {
    match (error.side, error.kind) {
        (Side::Downstream, _) | (_, Kind::StreamReset) => Err(error),
        _ => Ok(Reply::unreachable(&error.to_string(), error.is_late())),
    }
}

/// The body of an answer of ours: counted as the server's would be, and each part sent when it is time.
pub(super) struct Given {
    pieces: VecDeque<Piece>,
    trailers: Option<HeaderMap>,
    waiting: Option<Pin<Box<Sleep>>>,
    half: Half,
    tracked: Arc<Tracked>,
    is_whole: bool,
}

impl Given {
    /// The body of `reply`, of an exchange that it keeps open.
    pub(super) fn new(reply: Reply, tracked: &Arc<Tracked>) -> Self {
        let is_whole = reply.pieces.is_empty() && reply.trailers.is_empty();
        let trailers = (!reply.trailers.is_empty()).then(|| Field::map(&reply.trailers));
        let half = tracked.half(Direction::Response);
        Self { pieces: reply.parts().collect(), trailers, waiting: None, half, tracked: Arc::clone(tracked), is_whole }
    }
}

impl hyper::body::Body for Given {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        ready!(self.tracked.poll_room(cx));
        if let Some(next) = self.pieces.front() {
            let after = next.after;
            if !after.is_zero() {
                ready!(self.waiting.get_or_insert_with(|| Box::pin(sleep(after))).as_mut().poll(cx));
                self.waiting = None;
            }
        }
        if let Some(Piece { bytes, .. }) = self.pieces.pop_front() {
            return Poll::Ready(Some(self.half.data(&bytes).map(|()| Frame::data(bytes)).map_err(Into::into)));
        }
        let Some(trailers) = self.trailers.take() else { return Poll::Ready(None) };
        let noted = self.half.trailers(&Field::all(&trailers));
        Poll::Ready(Some(noted.map(|()| Frame::trailers(trailers)).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let size = |piece: &Piece| u64::try_from(piece.bytes.len()).unwrap_or(u64::MAX);
        if self.is_whole { SizeHint::with_exact(self.pieces.iter().map(size).sum()) } else { SizeHint::default() }
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if self.pieces.is_empty() && self.trailers.is_none() {
            self.half.end();
        }
        self.tracked.settle(Direction::Response, std::mem::take(&mut self.half));
    }
}
