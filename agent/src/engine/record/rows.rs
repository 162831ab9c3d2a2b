//! Rows of a capture as types. Times are microseconds since 1970 (UTC), spans are microseconds, sizes are bytes.

use std::borrow::Cow;

use crate::engine::decode::coding::{Unpacker, codings};
use crate::engine::decode::stream::MessageKind;
use crate::engine::http::Field;
use crate::engine::http::exchange::Direction;

/// What a body unpacks to at most when it is read.
const MAX_UNPACKED: usize = 1 << 30;

/// An exchange without its heads and bodies: a line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Its number in the capture.
    pub id: i64,
    /// Its connection.
    pub connection: i64,
    /// When the request's head had come.
    pub started: i64,
    /// When the request was complete.
    pub sent: Option<i64>,
    /// When the response's head had come.
    pub answered: Option<i64>,
    /// When the response was complete.
    pub received: Option<i64>,
    /// When it was over, whichever way.
    pub finished: Option<i64>,
    /// As in `HTTP/1.1`.
    pub version: String,
    /// The method.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host and port as the request names them.
    pub authority: String,
    /// The host alone.
    pub host: String,
    /// Path and query; empty for CONNECT.
    pub path: String,
    /// The response's status, if there was one.
    pub status: Option<u16>,
    /// Bytes of the request's body, as it passed.
    pub request_size: u64,
    /// Bytes of the response's body, as it passed.
    pub response_size: u64,
    /// What kind of messages it carries, if any: `grpc`, `sse`, `websocket` and others.
    pub stream: Option<String>,
    /// `allow` or `block`.
    pub verdict: String,
    /// The rule that decided.
    pub rule: Option<String>,
    /// Why it did not end well.
    pub error: Option<String>,
    /// The process that opened the connection, by its thread's name.
    pub process: Option<String>,
    /// That process.
    pub pid: Option<i64>,
}

impl Outline {
    /// The full URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.path)
    }

    /// Process and its number, as `curl[4021]`.
    #[must_use]
    pub fn caller(&self) -> Option<String> {
        let pid = self.pid?;
        Some(format!("{}[{pid}]", self.process.as_deref().unwrap_or_default()))
    }

    /// How long it took, as far as it has come.
    #[must_use]
    pub fn took_us(&self) -> Option<u64> {
        let end = self.finished.or(self.received)?;
        u64::try_from(end - self.started).ok()
    }
}

/// An exchange with all that is kept of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// What a list says of it.
    pub outline: Outline,
    /// The request.
    pub request: Half,
    /// The final response, if there was one.
    pub response: Option<Half>,
    /// Statuses below 200 and their fields.
    pub informational: Vec<(u16, Vec<Field>)>,
    /// Its messages, if it carries such, in the order in which they passed.
    pub messages: Vec<Message>,
    /// Its connection, if that is recorded.
    pub connection: Option<Connection>,
    /// Whether no other exchange on its connection came before.
    pub is_first: bool,
    /// How long the child's latest lookup of the host took, where that came right before the connection.
    pub dns_us: Option<u64>,
    /// The server's own certificate, in DER.
    pub certificate: Option<Vec<u8>>,
}

/// One direction of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Half {
    /// The fields as they were sent, pseudo-headers first.
    pub head: Vec<Field>,
    /// The body, if something of it was kept.
    pub body: Option<Content>,
    /// Bytes of the body, as it passed.
    pub size: u64,
    /// The trailers.
    pub trailers: Vec<Field>,
}

impl Half {
    /// The first value of the field `name`, as text.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.head.iter().find(|field| field.is(name)).and_then(Field::text)
    }

    /// The body without its content codings; empty if there is none.
    #[must_use]
    pub fn decoded(&self) -> Decoded<'_> {
        self.body.as_ref().map(|body| body.decoded(&self.head)).unwrap_or_default()
    }
}

/// What was kept of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// There was more.
    pub is_cut: bool,
    /// It is still coming.
    pub is_open: bool,
    /// Its content codings were undone when it was recorded.
    pub is_decoded: bool,
}

/// A body without its content codings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// Its bytes.
    pub bytes: Cow<'a, [u8]>,
    /// What is to be known of them: why they are not decoded, or not all of it.
    pub note: Option<&'static str>,
}

impl Content {
    /// The body without the content codings that `head` names, as far as they can be undone.
    #[must_use]
    pub fn decoded(&self, head: &[Field]) -> Decoded<'_> {
        let as_it_is = |note| Decoded { bytes: Cow::Borrowed(self.bytes.as_slice()), note };
        if self.is_decoded || self.bytes.is_empty() {
            return as_it_is(None);
        }
        match codings(head) {
            None => as_it_is(Some("its content coding is not known here")),
            Some(codings) if codings.is_empty() => as_it_is(None),
            Some(codings) => {
                let mut unpacker = Unpacker::new(&codings, MAX_UNPACKED);
                let mut bytes = Vec::new();
                let fed = unpacker.feed(&self.bytes, &mut bytes);
                let is_whole = !self.is_cut && !self.is_open;
                let done = fed.and_then(|()| if is_whole { unpacker.finish() } else { Ok(()) });
                match done {
                    // Not coded as its head says: what came is more than nothing.
                    Err(why) if bytes.is_empty() => as_it_is(Some(why.0)),
                    done => Decoded { bytes: Cow::Owned(bytes), note: done.err().map(|why| why.0) },
                }
            }
        }
    }
}

/// A message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which way it went.
    pub direction: Direction,
    /// When it was complete.
    pub at: i64,
    /// What it is.
    pub kind: MessageKind,
    /// Bytes that it took.
    pub size: u64,
    /// Its payload is not all of it.
    pub is_cut: bool,
    /// Why it is not decompressed, or what is wrong with it.
    pub note: Option<String>,
    /// What it says.
    pub payload: Vec<u8>,
}

/// A connection of the child.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Its number in the capture.
    pub id: i64,
    /// When it was accepted.
    pub accepted: i64,
    /// When it was closed.
    pub closed: Option<i64>,
    /// The child's address and port.
    pub child: String,
    /// What the child dialled, address and port.
    pub destination: String,
    /// `tls`, `http`, `relay` or `pass-through`.
    pub carried: Option<String>,
    /// Who opened it.
    pub pid: Option<i64>,
    /// That process's thread name.
    pub process: Option<String>,
    /// That process's executable.
    pub executable: Option<String>,
    /// That process's user.
    pub uid: Option<i64>,
    /// How long connecting to the server took.
    pub connect_us: Option<u64>,
    /// The server name that the child asked for.
    pub sni: Option<String>,
    /// The protocol that the server chose.
    pub alpn: Option<String>,
    /// Whether the server's certificate was found good.
    pub verified: Option<bool>,
    /// TLS with the child.
    pub child_tls: Option<Tls>,
    /// TLS with the server.
    pub server_tls: Option<Tls>,
    /// SHA-256 of the server's certificates, its own first.
    pub certificates: Vec<String>,
    /// Why it did not end well.
    pub error: Option<String>,
}

impl Connection {
    /// How long TLS took, both ways together: the child waited for both.
    #[must_use]
    pub fn tls_us(&self) -> Option<u64> {
        let sides = [&self.server_tls, &self.child_tls];
        let took: Vec<u64> = sides.into_iter().flatten().map(|tls| tls.took_us).collect();
        (!took.is_empty()).then(|| took.iter().sum())
    }
}

/// What a TLS handshake came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The protocol version and the cipher suite.
    pub suite: String,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// How long it took.
    pub took_us: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(bytes: &[u8]) -> Content {
        Content { bytes: bytes.to_vec(), ..Content::default() }
    }

    #[test]
    fn a_body_is_decoded_as_its_head_says_or_says_why_not() {
        // "hello" in a stored deflate block within zlib.
        let zlib = b"\x78\x01\x01\x05\x00\xfa\xffhello\x06\x2c\x02\x15".as_slice();
        let coded = |coding: &'static str| [Field::new("Content-Encoding", coding)];
        for (body, head, expect, has_note) in [
            (content(b"plain"), vec![], b"plain".as_slice(), false),
            (content(zlib), coded("deflate").to_vec(), b"hello", false),
            (Content { is_decoded: true, ..content(b"hello") }, coded("deflate").to_vec(), b"hello", false),
            (content(b"??"), coded("rot13").to_vec(), b"??", true),
            (content(b"no gzip"), coded("gzip").to_vec(), b"no gzip", true),
            (content(&zlib[..10]), coded("deflate").to_vec(), b"hel", true),
            (Content { is_cut: true, ..content(&zlib[..10]) }, coded("deflate").to_vec(), b"hel", false),
        ] {
            let decoded = body.decoded(&head);
            assert_eq!((&decoded.bytes[..], decoded.note.is_some()), (expect, has_note), "{body:?} {head:?}");
        }
    }
}
