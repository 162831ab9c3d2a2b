//! HTTP/1 messages (RFC 9112), read strictly: what two readers could take for different messages is refused. The syntax
//! of lines is httparse's; here are the ends of lines, the framing of bodies and the chunks.

mod body;
mod framing;
mod requests;

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::Method;

pub use self::body::{Body, Step};
pub use self::framing::{request_body, response_body};
pub use self::requests::Requests;
use super::Invalid;
use crate::engine::http::Field;

/// Most bytes of one head.
pub const MAX_HEAD: usize = 256 * 1024;
/// Most fields of one head.
pub const MAX_FIELDS: usize = 512;

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not HTTP, or may be read in two ways.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Its head or trailer section exceeds [`MAX_HEAD`] or [`MAX_FIELDS`].
    #[error("a head of more than 256 KiB or 512 fields")]
    TooLarge,
}

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The request target, in whichever form it was sent.
    pub target: String,
    /// The minor version: 0 or 1.
    pub minor: u8,
    /// The fields.
    pub fields: Vec<Field>,
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The minor version: 0 or 1.
    pub minor: u8,
    /// The fields.
    pub fields: Vec<Field>,
}

/// Finds where a head ends, however it comes in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scanner {
    scanned: usize,
}

impl Scanner {
    /// The length of the head that `input` starts with, its last line included; `None` if more is needed. Call it with
    /// the same start of input until it says so.
    ///
    /// # Errors
    /// A line that does not end with CRLF, a NUL, or a head that is too large.
    pub fn end_of_head(&mut self, input: &[u8]) -> Result<Option<usize>, Error> {
        while let Some(at) = input.get(self.scanned..).and_then(|rest| rest.iter().position(|&byte| byte == b'\n')) {
            let end = self.scanned + at + 1;
            let line = &input[self.scanned..end];
            strict_line(line)?;
            self.scanned = end;
            if line == b"\r\n" {
                self.scanned = 0;
                return if end > MAX_HEAD { Err(Error::TooLarge) } else { Ok(Some(end)) };
            }
        }
        if input.len() > MAX_HEAD { Err(Error::TooLarge) } else { Ok(None) }
    }
}

/// RFC 9112 section 2.2: a lenient reader takes a bare LF for the end of a line, and others do not.
fn strict_line(line: &[u8]) -> Result<(), Invalid> {
    let Some(text) = line.strip_suffix(b"\r\n") else { return Err(Invalid("a line that ends without CR")) };
    if text.contains(&b'\r') {
        return Err(Invalid("a CR inside a line"));
    }
    if text.contains(&0) {
        return Err(Invalid("a NUL in a head"));
    }
    match text.first() {
        Some(b' ' | b'\t') => Err(Invalid("a folded line")),
        _ => Ok(()),
    }
}

/// Reads the head of a request, as [`Scanner::end_of_head`] delimits it.
///
/// # Errors
/// If it is none.
pub fn request(head: &[u8]) -> Result<Request, Error> {
    let head = Bytes::copy_from_slice(head);
    let mut storage = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    complete(parsed.parse_with_uninit_headers(&head, &mut storage))?;
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(Invalid("a request line that is none").into());
    };
    let method = Method::from_bytes(method.as_bytes()).map_err(|_invalid| Invalid("a method that is none"))?;
    Ok(Request { method, target: target.to_owned(), minor, fields: fields(parsed.headers, &head) })
}

/// Reads the head of a response, as [`Scanner::end_of_head`] delimits it.
///
/// # Errors
/// If it is none.
pub fn response(head: &[u8]) -> Result<Response, Error> {
    let head = Bytes::copy_from_slice(head);
    let mut storage = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    complete(config.parse_response_with_uninit_headers(&mut parsed, &head, &mut storage))?;
    let (Some(status), Some(minor)) = (parsed.code, parsed.version) else {
        return Err(Invalid("a status line that is none").into());
    };
    Ok(Response { status, minor, fields: fields(parsed.headers, &head) })
}

/// Reads the fields of a trailer section, its last empty line included.
///
/// # Errors
/// If they are none.
pub fn trailers(section: &[u8]) -> Result<Vec<Field>, Error> {
    let mut storage = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let section = Bytes::copy_from_slice(section);
    match httparse::parse_headers(&section, &mut storage) {
        Ok(httparse::Status::Complete((_, parsed))) => Ok(fields(parsed, &section)),
        Ok(httparse::Status::Partial) => Err(Invalid("trailers that end too early").into()),
        Err(error) => Err(broken(error)),
    }
}

fn complete(parsed: httparse::Result<usize>) -> Result<(), Error> {
    match parsed {
        Ok(httparse::Status::Complete(_)) => Ok(()),
        Ok(httparse::Status::Partial) => Err(Invalid("a head that ends too early").into()),
        Err(error) => Err(broken(error)),
    }
}

fn broken(error: httparse::Error) -> Error {
    use httparse::Error as E;
    match error {
        E::TooManyHeaders => Error::TooLarge,
        E::HeaderName => Invalid("a field name that is none").into(),
        E::HeaderValue => Invalid("a field value that is none").into(),
        E::NewLine => Invalid("a line that ends without CRLF").into(),
        E::Status => Invalid("a status that is none").into(),
        E::Token => Invalid("a request line that is none").into(),
        E::Version => Invalid("a version that is neither HTTP/1.0 nor HTTP/1.1").into(),
    }
}

/// The fields as parts of the `head` that they were read from: one piece of memory for all of them.
fn fields(parsed: &[httparse::Header<'_>], head: &Bytes) -> Vec<Field> {
    let field = |header: &httparse::Header<'_>| {
        Field::new(head.slice_ref(header.name.as_bytes()), head.slice_ref(header.value))
    };
    parsed.iter().map(field).collect()
}
