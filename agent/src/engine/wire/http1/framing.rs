//! How long a body is (RFC 9112 section 6). Where two fields, or two readings of one, give two answers, there is none.

use http::Method;

use super::{Body, Request, Response};
use crate::engine::http::{Field, elements, values};
use crate::engine::wire::Invalid;

/// The body that follows the head of a request.
///
/// # Errors
/// If its length is ambiguous.
pub fn request_body(head: &Request) -> Result<Body, Invalid> {
    if values(&head.fields, "host").count() > 1 {
        return Err(Invalid("two Host fields"));
    }
    match lengths(&head.fields, head.minor)? {
        Lengths::Coded { chunked: true } => Ok(Body::chunked()),
        Lengths::Coded { chunked: false } => Err(Invalid("a transfer coding without end")),
        Lengths::Bytes(length) => Ok(Body::Length(length)),
        Lengths::Unknown => Ok(Body::Length(0)),
    }
}

/// The body that follows the head of the final or interim response to a request with `method`.
///
/// # Errors
/// If its length is ambiguous.
pub fn response_body(head: &Response, method: &Method) -> Result<Body, Invalid> {
    let lengths = lengths(&head.fields, head.minor)?;
    let none = matches!(head.status, 100..=199 | 204 | 304) || method == Method::HEAD;
    if none || (method == Method::CONNECT && (200..300).contains(&head.status)) {
        return Ok(Body::Length(0));
    }
    match lengths {
        Lengths::Coded { chunked: true } => Ok(Body::chunked()),
        Lengths::Bytes(length) => Ok(Body::Length(length)),
        Lengths::Coded { chunked: false } | Lengths::Unknown => Ok(Body::UntilClose),
    }
}

enum Lengths {
    Coded { chunked: bool },
    Bytes(u64),
    Unknown,
}

fn lengths(fields: &[Field], minor: u8) -> Result<Lengths, Invalid> {
    let mut announced = values(fields, "content-length");
    let coded = values(fields, "transfer-encoding").next().is_some();
    match (coded, announced.next(), announced.next()) {
        (true, Some(_), _) => Err(Invalid("both Content-Length and Transfer-Encoding")),
        (true, None, _) if minor == 0 => Err(Invalid("Transfer-Encoding in HTTP/1.0")),
        (true, None, _) => codings(fields),
        (false, Some(_), Some(_)) => Err(Invalid("two Content-Length fields")),
        (false, Some(length), None) => decimal(length).map(Lengths::Bytes),
        (false, None, _) => Ok(Lengths::Unknown),
    }
}

/// Chunked, if at all, comes last and once (RFC 9112 section 6.1).
fn codings(fields: &[Field]) -> Result<Lengths, Invalid> {
    let codings: Vec<&[u8]> = elements(fields, "transfer-encoding").collect();
    let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let is_known = |coding: &&[u8]| {
        [&b"chunked"[..], b"gzip", b"deflate", b"compress"].iter().any(|known| coding.eq_ignore_ascii_case(known))
    };
    let chunked = codings.last().is_some_and(is_chunked);
    if codings.is_empty() || !codings.iter().all(is_known) {
        return Err(Invalid("a transfer coding that is unknown"));
    }
    if codings.iter().filter(|coding| is_chunked(coding)).count() > usize::from(chunked) {
        return Err(Invalid("a chunked coding that is not the last"));
    }
    Ok(Lengths::Coded { chunked })
}

fn decimal(text: &[u8]) -> Result<u64, Invalid> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| digits).and_then(|text| text.parse().ok());
    number.ok_or(Invalid("a Content-Length that is no number"))
}
