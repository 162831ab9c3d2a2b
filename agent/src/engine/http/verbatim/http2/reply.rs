//! Frames of the agent's own, towards the child. They leave the child's header table as the server believes it to be.

use bytes::{Bytes, BytesMut};

use super::lane::write_block;
use crate::engine::http::{Field, Reply};
use crate::engine::wire::h2::{DEFAULT_FRAME, DEFAULT_WINDOW, END_STREAM, Frame, Kind};
use crate::engine::wire::hpack;

/// What the child can take, and what it was given beyond what the server sent.
#[derive(Debug)]
pub(super) struct Windows {
    /// What the child takes on the connection.
    connection: i64,
    /// What it takes on a new stream.
    pub(super) initial: i64,
    /// Bytes of ours that the child will make room for again, and the server must not be told of.
    debt: i64,
}

impl Default for Windows {
    fn default() -> Self {
        Self { connection: DEFAULT_WINDOW, initial: DEFAULT_WINDOW, debt: 0 }
    }
}

impl Windows {
    /// The child has made room; returns how much of that the server may know.
    pub(super) fn grow(&mut self, bytes: i64) -> i64 {
        self.connection += bytes;
        let repaid = bytes.min(self.debt);
        self.debt -= repaid;
        bytes - repaid
    }

    /// The server's data comes; false if it must wait because of ours.
    pub(super) const fn take(&mut self, bytes: i64) -> bool {
        let fits = self.debt == 0 || bytes <= self.connection;
        if fits {
            self.connection -= bytes;
        }
        fits
    }

    /// Takes room for data of ours; false if there is none.
    fn borrow(&mut self, bytes: i64) -> bool {
        let fits = bytes <= self.connection && bytes <= self.initial;
        if fits {
            self.connection -= bytes;
            self.debt += bytes;
        }
        fits
    }
}

/// A table size that the child wants and the server has not yet gone by (RFC 7541 section 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shrink {
    /// None.
    #[default]
    None,
    /// The child has asked for it.
    Asked(usize),
    /// The server has acknowledged it: the next block must begin with it.
    Due(usize),
}

impl Shrink {
    /// The child wants a table of `size`, and the server goes by one of `current`, or must first say less. To what is
    /// larger nobody has to change, and the server would not know that the child's table has.
    pub(super) const fn ask(self, size: usize, current: usize) -> Self {
        let smallest = match self {
            Self::None => current,
            Self::Asked(smallest) | Self::Due(smallest) => smallest,
        };
        if size < smallest { Self::Asked(size) } else { self }
    }
}

/// Answers the request on `stream`. Returns how many bytes of the body went: all, or none if there is no room for it or
/// the request wants none.
pub(super) fn answer(
    reply: &Reply,
    stream: u32,
    headless: bool,
    shrink: Shrink,
    windows: &mut Windows,
    out: &mut BytesMut,
) -> usize {
    let length = reply.body.len();
    let fits = !headless && length <= DEFAULT_FRAME && windows.borrow(i64::try_from(length).unwrap_or(i64::MAX));
    let mut block = Vec::new();
    if let Shrink::Due(size) = shrink {
        hpack::encode_size(size, &mut block);
    }
    // A length that no body follows would be a broken message, except where there never is one.
    let head = if fits || headless { reply.head() } else { reply.fields.clone() };
    let status = Field::new(":status", Bytes::copy_from_slice(reply.status.as_str().as_bytes()));
    hpack::encode(std::iter::once(&status).chain(&head), &mut block);
    // The end of gRPC's answers without messages is that of their head.
    let has_body = fits && length > 0;
    let flags = if has_body { 0 } else { END_STREAM };
    write_block(Frame { length: 0, kind: Kind::Headers, flags, stream }, &block, out);
    if !has_body {
        return 0;
    }
    Frame { length, kind: Kind::Data, flags: END_STREAM, stream }.write(&reply.body, out);
    length
}

/// Resets a stream.
pub(super) fn reset(stream: u32, code: u32, out: &mut BytesMut) {
    Frame { length: 4, kind: Kind::RstStream, flags: 0, stream }.write(&code.to_be_bytes(), out);
}

/// Makes room on a stream, or as stream 0 on the connection.
pub(super) fn room(stream: u32, bytes: usize, out: &mut BytesMut) {
    if let Some(bytes) = u32::try_from(bytes).ok().filter(|&bytes| bytes > 0) {
        Frame { length: 4, kind: Kind::WindowUpdate, flags: 0, stream }.write(&bytes.to_be_bytes(), out);
    }
}

/// Ends the connection: no stream after `last` is carried.
pub(super) fn go_away(last: u32, code: u32, out: &mut BytesMut) {
    let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
    Frame { length: payload.len(), kind: Kind::GoAway, flags: 0, stream: 0 }.write(&payload, out);
}
