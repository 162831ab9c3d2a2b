//! An answer of the agent's own, in place of the server's.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::Field;

/// Bytes of a request over HTTP/2 that its sender may still send when it was answered, before it is asked to stop: who is
/// in the middle of sending takes a reset for a failure, though the answer came before it.
pub const UNWANTED: usize = 16 << 20;

/// A response in the server's place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// What its head says of its body, but for the length.
    pub fields: Vec<Field>,
    /// The body, or what comes of it at once.
    pub body: Bytes,
    /// What comes of it later; its length is not told then.
    pub pieces: Vec<Piece>,
    /// What follows the body.
    pub trailers: Vec<Field>,
}

/// A part of a body that comes later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// How long after the part before it.
    pub after: Duration,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Reply {
    /// An answer whose body is of a media type.
    #[must_use]
    pub fn new(status: StatusCode, content_type: impl Into<Bytes>, body: impl Into<Bytes>) -> Self {
        Self { status, fields: vec![Field::new("content-type", content_type)], body: body.into(), ..Self::default() }
    }

    /// An answer of one line, which says that it is the agent's.
    #[must_use]
    pub fn text(status: StatusCode, why: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("agent: {why}\n"))
    }

    /// What its head says, besides the status.
    #[must_use]
    pub fn head(&self) -> Vec<Field> {
        let is_whole = self.pieces.is_empty() && self.trailers.is_empty();
        let length = is_whole.then(|| Field::new("content-length", self.body.len().to_string()));
        self.fields.iter().cloned().chain(length).collect()
    }

    /// The body in its parts, the first at once.
    pub fn parts(self) -> impl Iterator<Item = Piece> {
        let first = Piece { after: Duration::ZERO, bytes: self.body };
        std::iter::once(first).filter(|first| !first.bytes.is_empty()).chain(self.pieces)
    }

    /// The answer to a request whose server could not be reached, `late` if it did not answer in time: 504 or 502.
    #[must_use]
    pub fn unreachable(why: &str, late: bool) -> Self {
        Self::text(if late { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY }, why)
    }
}
