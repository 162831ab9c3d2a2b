//! Messages with a prefix of five bytes, flags and length: gRPC, gRPC-Web and the streams of Connect.

use super::{Kind, MAX_MESSAGE, MAX_RATIO, Message, MessageKind};
use crate::engine::decode::coding::{Coding, TOO_LONG, Unpacker};
use crate::engine::http::{Field, values};
use crate::engine::wire::Invalid;

/// Bytes before each message: flags, and the length of what follows, big-endian.
const PREFIX: usize = 5;
/// The message is compressed.
const COMPRESSED: u8 = 0x01;
/// Connect: the message is the stream's end.
const END_STREAM: u8 = 0x02;
/// gRPC-Web: the message is the trailers.
const TRAILERS: u8 = 0x80;
/// What a small message may unpack to, whatever its ratio.
const SMALL: usize = 4 * 1024;

/// Reads messages as they come.
pub(super) struct Enveloped {
    kind: Kind,
    /// What compressed messages are compressed with; none if that is not known.
    coding: Option<Coding>,
    prefix: Vec<u8>,
    /// The message whose prefix has come.
    open: Option<Open>,
}

/// A message that is coming.
struct Open {
    message: Message,
    /// Bytes that are still to come.
    left: usize,
    unpacker: Option<Unpacker>,
}

impl Enveloped {
    /// A reader of messages whose compression `fields`, of the same direction, name.
    pub(super) fn new(kind: Kind, fields: &[Field]) -> Self {
        let name = if kind == Kind::Connect { "connect-content-encoding" } else { "grpc-encoding" };
        let coding = values(fields, name).next().map_or(Some(Coding::Identity), |value| Coding::named(value));
        Self { kind, coding, prefix: Vec::with_capacity(PREFIX), open: None }
    }

    pub(super) fn read(&mut self, mut input: &[u8], messages: &mut Vec<Message>) -> Result<(), Invalid> {
        loop {
            if let Some(open) = &mut self.open {
                let (now, rest) = input.split_at(open.left.min(input.len()));
                open.take(now)?;
                input = rest;
                if open.left > 0 {
                    return Ok(());
                }
            }
            // One by one, so that a message without a byte is there with its prefix.
            if let Some(done) = self.open.take() {
                messages.push(done.finish()?);
            }
            let (now, rest) = input.split_at((PREFIX - self.prefix.len()).min(input.len()));
            self.prefix.extend_from_slice(now);
            input = rest;
            let Ok([flags, length @ ..]) = <[u8; PREFIX]>::try_from(self.prefix.as_slice()) else { return Ok(()) };
            self.open = Some(self.begin(flags, u32::from_be_bytes(length))?);
            self.prefix.clear();
        }
    }

    /// The message of which only the beginning is there.
    pub(super) fn end(&mut self) -> Option<Message> {
        if let Some(Open { mut message, .. }) = self.open.take() {
            message.is_cut = true;
            return Some(message);
        }
        (!self.prefix.is_empty()).then(|| Message {
            kind: MessageKind::Malformed,
            wire: self.prefix.len() as u64,
            payload: std::mem::take(&mut self.prefix),
            is_cut: true,
            note: Some("the stream ends within the prefix of a message"),
        })
    }

    fn begin(&self, flags: u8, length: u32) -> Result<Open, Invalid> {
        let kind = match (self.kind, flags & !COMPRESSED) {
            (_, 0) => MessageKind::Message,
            (Kind::Connect, END_STREAM) => MessageKind::EndStream,
            (Kind::GrpcWeb | Kind::GrpcWebText, TRAILERS) => MessageKind::Trailers,
            _ => return Err(Invalid("a message with flags that are unknown")),
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (unpacker, note) = match self.coding {
            _ if flags & COMPRESSED == 0 || length == 0 => (None, None),
            Some(Coding::Identity) => (None, Some("said to be compressed, by a stream that names no compression")),
            Some(coding) => {
                let limit = length.saturating_mul(MAX_RATIO).saturating_add(SMALL).min(MAX_MESSAGE);
                (Some(Unpacker::new(&[coding], limit)), None)
            }
            None => (None, Some("compressed in a way that is not known")),
        };
        let wire = PREFIX as u64;
        let message = Message { kind, payload: Vec::new(), wire, is_cut: false, note };
        Ok(Open { message, left: length, unpacker })
    }
}

impl Open {
    /// Takes bytes of the message, no more than are left.
    fn take(&mut self, bytes: &[u8]) -> Result<(), Invalid> {
        let Message { payload, wire, is_cut, .. } = &mut self.message;
        self.left -= bytes.len();
        *wire += bytes.len() as u64;
        match &mut self.unpacker {
            _ if *is_cut => {}
            Some(unpacker) => match unpacker.feed(bytes, payload) {
                Err(TOO_LONG) => *is_cut = true,
                other => return other,
            },
            None => {
                let fitting = bytes.len().min(MAX_MESSAGE - payload.len());
                payload.extend_from_slice(&bytes[..fitting]);
                *is_cut = fitting < bytes.len();
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Message, Invalid> {
        match self.unpacker {
            Some(unpacker) if !self.message.is_cut => unpacker.finish().map(|()| self.message),
            _ => Ok(self.message),
        }
    }
}
