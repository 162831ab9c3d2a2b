//! What the child is told when a request could not be carried, where HTTP is already spoken.

use http_body_util::{Either, Full};
use hyper::Response;
use hyper::header::CONTENT_TYPE;
use hyper::header::HeaderValue;

use super::body::Body;
use crate::engine::http::Reply;
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
    let mut response = Response::new(Either::Right(Full::new(reply.body)));
    *response.status_mut() = reply.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    response
}
