//! Bodies and tunnels that are made of messages: which kind an exchange has, and a reader of one direction of it, which
//! gives each message as soon as its last byte is there. Messages are defragmented, unmasked and decompressed; what they
//! mean is for others.

mod base64_text;
mod enveloped;
pub mod sse;
mod websocket;

use self::base64_text::Base64;
use self::enveloped::Enveloped;
use self::sse::Blocks;
use self::websocket::WebSocket;
use super::coding::{Unpacker, codings};
use crate::engine::http::exchange::Direction;
use crate::engine::http::{Field, values};
use crate::engine::wire::Invalid;

/// Most bytes of one message that are kept; a larger one is cut.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// How many times its size something may unpack to, beyond a small allowance: what deflate can do at best is 1,032.
const MAX_RATIO: usize = 1_040;

/// What kind of messages one direction of an exchange carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// gRPC over HTTP/2: `application/grpc`.
    Grpc,
    /// gRPC-Web in binary: `application/grpc-web`.
    GrpcWeb,
    /// gRPC-Web in base64: `application/grpc-web-text`.
    GrpcWebText,
    /// A Connect stream: `application/connect+proto` and others.
    Connect,
    /// Server-sent events: `text/event-stream`.
    Sse,
    /// A WebSocket connection (RFC 6455), over HTTP/1 or HTTP/2 (RFC 8441).
    WebSocket,
}

impl Kind {
    /// What `direction` of an exchange carries, as far as its heads say: the fields of the request, what it asks the
    /// connection to become ([`RequestHead::tunnel`](crate::engine::http::RequestHead::tunnel)), and, when it is known,
    /// the final status and the fields of the response. `None` is a body as any other, or not known yet.
    #[must_use]
    pub fn of(
        direction: Direction,
        request: &[Field],
        tunnel: Option<&str>,
        response: Option<(u16, &[Field])>,
    ) -> Option<Self> {
        if tunnel.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket")) {
            // Only HTTP/1 has the field; elsewhere the request was a CONNECT (RFC 8441 section 5).
            let is_upgrade = request.iter().any(|field| field.is("upgrade"));
            let agrees = |status: u16| if is_upgrade { status == 101 } else { matches!(status, 200..=299) };
            return response.filter(|(status, _)| agrees(*status)).map(|_| Self::WebSocket);
        }
        let fields = match direction {
            Direction::Request => request,
            Direction::Response => response?.1,
        };
        let kind = Self::of_content_type(&content_type(fields)?)?;
        (kind != Self::Sse || direction == Direction::Response).then_some(kind)
    }

    /// By a media type without parameters, in lower case.
    fn of_content_type(media: &str) -> Option<Self> {
        let is = |name: &str| media.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('+'));
        if media == "text/event-stream" {
            Some(Self::Sse)
        } else if is("application/grpc") {
            Some(Self::Grpc)
        } else if is("application/grpc-web") {
            Some(Self::GrpcWeb)
        } else if is("application/grpc-web-text") {
            Some(Self::GrpcWebText)
        } else {
            media.starts_with("application/connect+").then_some(Self::Connect)
        }
    }

    /// Its name in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::GrpcWeb => "grpc-web",
            Self::GrpcWebText => "grpc-web-text",
            Self::Connect => "connect",
            Self::Sse => "sse",
            Self::WebSocket => "websocket",
        }
    }
}

/// The media type in `fields`, in lower case and without parameters.
fn content_type(fields: &[Field]) -> Option<String> {
    let value = std::str::from_utf8(values(fields, "content-type").next()?).ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

/// One message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: MessageKind,
    /// What it says: decompressed, unmasked, defragmented, out of its base64. At most [`MAX_MESSAGE`] bytes.
    pub payload: Vec<u8>,
    /// Bytes that it took, framing included, after the body's content coding was undone. What was skipped before it, as
    /// empty lines between events, counts with it.
    pub wire: u64,
    /// Its payload is not all of it: it is too large, or the stream ended within it.
    pub is_cut: bool,
    /// What is to be known of the payload: why it is not decompressed, or what is wrong with the stream.
    pub note: Option<&'static str>,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A message of gRPC, gRPC-Web or Connect.
    Message,
    /// The trailers of gRPC-Web, as lines of an HTTP/1 head.
    Trailers,
    /// The JSON that ends a Connect stream.
    EndStream,
    /// The text of a server-sent event, without the empty line that ends it.
    Event,
    /// A WebSocket message of text.
    Text,
    /// A WebSocket message of bytes.
    Binary,
    /// A WebSocket ping.
    Ping,
    /// A WebSocket pong.
    Pong,
    /// The end of a WebSocket direction: a code of two bytes and a reason, or nothing.
    Close,
    /// What cannot be understood; the rest of the direction is not read.
    Malformed,
}

impl MessageKind {
    /// Its name in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Trailers => "trailers",
            Self::EndStream => "end-stream",
            Self::Event => "event",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Close => "close",
            Self::Malformed => "malformed",
        }
    }

    /// The opcode of a WebSocket frame of this kind (RFC 6455 section 11.8).
    #[must_use]
    pub const fn opcode(self) -> Option<u8> {
        match self {
            Self::Text => Some(1),
            Self::Binary => Some(2),
            Self::Close => Some(8),
            Self::Ping => Some(9),
            Self::Pong => Some(10),
            Self::Message | Self::Trailers | Self::EndStream | Self::Event | Self::Malformed => None,
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        use MessageKind::{Binary, Close, EndStream, Event, Malformed, Ping, Pong, Text, Trailers};
        let all = [Self::Message, Trailers, EndStream, Event, Text, Binary, Ping, Pong, Close, Malformed];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

/// Reads the messages of one direction of an exchange. It holds at most one message of [`MAX_MESSAGE`] bytes, and what
/// the content coding needs.
pub struct Reader {
    unpacker: Option<Unpacker>,
    base64: Option<Base64>,
    framing: Framing,
    is_over: bool,
}

/// What tells one message from the next.
enum Framing {
    Enveloped(Enveloped),
    Events(Blocks),
    WebSocket(Box<WebSocket>),
}

impl Reader {
    /// A reader of `direction` of an exchange of this `kind`, by the fields of its request and its response. The
    /// response's are needed for WebSocket, and for the response itself.
    #[must_use]
    pub fn new(kind: Kind, direction: Direction, request: &[Field], response: &[Field]) -> Self {
        let fields = match direction {
            Direction::Request => request,
            Direction::Response => response,
        };
        // A tunnel has no content coding. What is coded in an unknown way will be malformed.
        let codings = codings(fields).filter(|codings| !codings.is_empty() && kind != Kind::WebSocket);
        let framing = match kind {
            Kind::Grpc | Kind::GrpcWeb | Kind::GrpcWebText | Kind::Connect => {
                Framing::Enveloped(Enveloped::new(kind, fields))
            }
            Kind::Sse => Framing::Events(Blocks::default()),
            Kind::WebSocket => Framing::WebSocket(Box::new(WebSocket::new(direction, response))),
        };
        Self {
            unpacker: codings.map(|codings| Unpacker::new(&codings, MAX_MESSAGE)),
            base64: (kind == Kind::GrpcWebText).then(Base64::default),
            framing,
            is_over: false,
        }
    }

    /// Reads `input`, the next bytes of the direction's body or tunnel, and appends the messages that it completes.
    pub fn feed(&mut self, input: &[u8], messages: &mut Vec<Message>) {
        if self.is_over {
            return;
        }
        if let Err(Invalid(why)) = self.read(input, messages) {
            self.is_over = true;
            let left = self.framing.end();
            let (payload, wire) = left.map(|message| (message.payload, message.wire)).unwrap_or_default();
            messages.push(Message { kind: MessageKind::Malformed, payload, wire, is_cut: true, note: Some(why) });
        }
    }

    /// The direction has ended: appends what is left, a message that was cut.
    pub fn end(&mut self, messages: &mut Vec<Message>) {
        if !self.is_over {
            self.is_over = true;
            messages.extend(self.framing.end());
        }
    }

    fn read(&mut self, input: &[u8], messages: &mut Vec<Message>) -> Result<(), Invalid> {
        let Self { unpacker, base64, framing, .. } = self;
        let mut take = |plain: &[u8]| match base64 {
            Some(base64) => {
                let mut decoded = Vec::new();
                let decoding = base64.feed(plain, &mut decoded);
                framing.read(&decoded, messages)?;
                decoding
            }
            None => framing.read(plain, messages),
        };
        let Some(unpacker) = unpacker else { return take(input) };
        unpacker.allow(input.len().saturating_mul(MAX_RATIO));
        unpacker.feed_to(input, &mut take)
    }
}

impl Framing {
    fn read(&mut self, input: &[u8], messages: &mut Vec<Message>) -> Result<(), Invalid> {
        match self {
            Self::Enveloped(enveloped) => enveloped.read(input, messages),
            Self::Events(blocks) => {
                blocks.read(input, messages);
                Ok(())
            }
            Self::WebSocket(websocket) => websocket.read(input, messages),
        }
    }

    /// The message of which only the beginning is there.
    fn end(&mut self) -> Option<Message> {
        match self {
            Self::Enveloped(enveloped) => enveloped.end(),
            Self::Events(blocks) => blocks.end(),
            Self::WebSocket(websocket) => websocket.end(),
        }
    }
}

#[cfg(test)]
mod tests;
