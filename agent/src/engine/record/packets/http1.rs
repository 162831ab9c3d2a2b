//! An exchange as the text of HTTP/1 (RFC 9112). What was kept of a body is sent framed as its head says.

use super::{Piece, ends, websocket};
use crate::engine::http::exchange::Direction;
use crate::engine::http::{Field, elements};
use crate::engine::record::rows::{Exchange, Half};

/// Appends what both sides send.
pub(super) fn pieces(exchange: &Exchange, pieces: &mut Vec<Piece>) {
    let outline = &exchange.outline;
    let version = if outline.version == "HTTP/1.0" { "HTTP/1.0" } else { "HTTP/1.1" };
    let target = if outline.method == "CONNECT" { &outline.authority } else { &outline.path };
    let (sent, received) = ends(outline);
    let mut piece = |at, direction, bytes: Vec<u8>| {
        if !bytes.is_empty() {
            pieces.push(Piece { at, direction, bytes });
        }
    };
    let first = format!("{} {target} {version}", outline.method);
    piece(outline.started, Direction::Request, head(&first, &exchange.request.head));
    piece(sent, Direction::Request, body(&exchange.request));
    let answered = outline.answered.unwrap_or(received);
    for (status, fields) in &exchange.informational {
        piece(answered, Direction::Response, head(&status_line(version, *status), fields));
    }
    if let (Some(status), Some(response)) = (outline.status, &exchange.response) {
        piece(answered, Direction::Response, head(&status_line(version, status), &response.head));
        piece(received.max(answered), Direction::Response, body(response));
    }
    if outline.stream.as_deref() == Some("websocket") {
        for message in &exchange.messages {
            piece(message.at, message.direction, websocket::frame(message));
        }
    }
}

fn status_line(version: &str, status: u16) -> String {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    format!("{version} {status} {}", reason.unwrap_or_default())
}

fn head(first: &str, fields: &[Field]) -> Vec<u8> {
    let mut text = first.as_bytes().to_vec();
    text.extend(b"\r\n");
    for field in fields.iter().filter(|field| !field.name.starts_with(b":")) {
        text.extend([&field.name[..], b": ", &field.value, b"\r\n"].concat());
    }
    text.extend(b"\r\n");
    text
}

/// The body as it was framed: in one chunk, where it came in chunks.
fn body(half: &Half) -> Vec<u8> {
    let content = half.body.as_ref().map(|body| body.bytes.as_slice()).unwrap_or_default();
    let is_chunked = elements(&half.head, "transfer-encoding").any(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    if !is_chunked {
        return content.to_vec();
    }
    let mut framed = Vec::with_capacity(content.len() + 32);
    if !content.is_empty() {
        framed.extend(format!("{:x}\r\n", content.len()).into_bytes());
        framed.extend([content, b"\r\n"].concat());
    }
    framed.extend(head("0", &half.trailers));
    framed
}
