//! An exchange as frames of HTTP/2 (RFC 9113) on a connection that begins with prior knowledge. Header blocks use no
//! table; flow control is left out.

use bytes::BytesMut;

use super::{Piece, ends, websocket};
use crate::engine::http::Field;
use crate::engine::http::exchange::Direction;
use crate::engine::record::rows::{Exchange, Half};
use crate::engine::wire::h2::{ACK, DEFAULT_FRAME, END_HEADERS, END_STREAM, Frame, Kind, PREFACE};
use crate::engine::wire::hpack;

/// What both sides say first.
pub(super) fn opening(at: i64) -> Vec<Piece> {
    let settings = |flags| {
        let mut out = BytesMut::new();
        Frame { length: 0, kind: Kind::Settings, flags, stream: 0 }.write(&[], &mut out);
        out.to_vec()
    };
    let piece = |direction, bytes| Piece { at, direction, bytes };
    vec![
        piece(Direction::Request, [PREFACE, &settings(0)].concat()),
        piece(Direction::Response, [settings(0), settings(ACK)].concat()),
        piece(Direction::Request, settings(ACK)),
    ]
}

/// Appends what both sides send of the exchange that is the connection's `number`th.
pub(super) fn pieces(number: usize, exchange: &Exchange, pieces: &mut Vec<Piece>) {
    let (outline, request) = (&exchange.outline, &exchange.request);
    let stream = u32::try_from(2 * number + 1).unwrap_or(1) & 0x7fff_ffff;
    let (sent, received) = ends(outline);
    let is_tunnel = outline.stream.as_deref() == Some("websocket");
    let mut piece = |at, direction, bytes: Vec<u8>| {
        if !bytes.is_empty() {
            pieces.push(Piece { at, direction, bytes });
        }
    };
    let is_empty = |half: &Half| !is_tunnel && half.body.is_none() && half.trailers.is_empty();
    piece(outline.started, Direction::Request, headers(stream, &request.head, is_empty(request)));
    piece(sent, Direction::Request, rest(stream, request));
    let answered = outline.answered.unwrap_or(received);
    for (status, fields) in &exchange.informational {
        piece(answered, Direction::Response, headers(stream, &with_status(*status, fields), false));
    }
    if let (Some(status), Some(response)) = (outline.status, &exchange.response) {
        let head = with_status(status, &response.head);
        piece(answered, Direction::Response, headers(stream, &head, is_empty(response)));
        piece(received.max(answered), Direction::Response, rest(stream, response));
    }
    if is_tunnel {
        for message in &exchange.messages {
            piece(message.at, message.direction, data(stream, &websocket::frame(message), false));
        }
    }
}

/// Body and trailers.
fn rest(stream: u32, half: &Half) -> Vec<u8> {
    let has_trailers = !half.trailers.is_empty();
    let mut out = match &half.body {
        Some(body) => data(stream, &body.bytes, !has_trailers),
        None => Vec::new(),
    };
    if has_trailers {
        out.extend(headers(stream, &half.trailers, true));
    }
    out
}

fn with_status(status: u16, fields: &[Field]) -> Vec<Field> {
    let rest = fields.iter().filter(|field| !field.is(":status")).cloned();
    std::iter::once(Field::new(":status", status.to_string())).chain(rest).collect()
}

/// A header block in as many frames as it needs.
fn headers(stream: u32, fields: &[Field], is_last: bool) -> Vec<u8> {
    let mut block = Vec::new();
    hpack::encode(fields, &mut block);
    let mut out = BytesMut::new();
    let mut chunks = block.chunks(DEFAULT_FRAME).peekable();
    let mut kind = Kind::Headers;
    while let Some(chunk) = chunks.next() {
        let end = if chunks.peek().is_none() { END_HEADERS } else { 0 };
        let last = if is_last && kind == Kind::Headers { END_STREAM } else { 0 };
        Frame { length: chunk.len(), kind, flags: end | last, stream }.write(chunk, &mut out);
        kind = Kind::Continuation;
    }
    out.to_vec()
}

fn data(stream: u32, bytes: &[u8], is_last: bool) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut chunks = bytes.chunks(DEFAULT_FRAME).peekable();
    if bytes.is_empty() && is_last {
        Frame { length: 0, kind: Kind::Data, flags: END_STREAM, stream }.write(&[], &mut out);
    }
    while let Some(chunk) = chunks.next() {
        let flags = if is_last && chunks.peek().is_none() { END_STREAM } else { 0 };
        Frame { length: chunk.len(), kind: Kind::Data, flags, stream }.write(chunk, &mut out);
    }
    out.to_vec()
}
