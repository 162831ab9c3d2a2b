//! What the child is told when a request could not be carried, where HTTP is already spoken.

use http_body_util::{Either, Full};
use hyper::Response;
use hyper::header::{HeaderName, HeaderValue};

use super::body::Body;
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

/// The answer that the agent gives itself.
pub(super) fn with(reply: Reply) -> Response<Body> {
    let Reply { status, fields, body } = reply;
    let mut response = Response::new(Either::Right(Full::new(body)));
    *response.status_mut() = status;
    response.headers_mut().extend(fields.iter().filter_map(header));
    response
}

/// A field of the agent's own as the library has them.
fn header(field: &Field) -> Option<(HeaderName, HeaderValue)> {
    Some((HeaderName::from_bytes(&field.name).ok()?, HeaderValue::from_bytes(&field.value).ok()?))
}
