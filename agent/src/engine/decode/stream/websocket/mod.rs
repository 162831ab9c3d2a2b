//! Messages of one direction of a WebSocket connection (RFC 6455), and their compression (RFC 7692).

mod deflate;
mod frame;

use self::deflate::Inflater;
use self::frame::{Frame, Opcode};
use super::{MAX_MESSAGE, Message, MessageKind};
use crate::engine::http::Field;
use crate::engine::http::exchange::Direction;
use crate::engine::wire::Invalid;

/// Reads frames as they come. Whether they are masked is taken from each of them.
pub(super) struct WebSocket {
    head: Vec<u8>,
    /// The frame whose head has come.
    frame: Option<Open>,
    /// The message of which fragments have come; control frames may come between them.
    fragmented: Option<Message>,
    inflater: Option<Inflater>,
    /// The message of data that is coming is compressed.
    is_compressed: bool,
}

/// A frame that is coming.
struct Open {
    frame: Frame,
    /// Bytes of it that have come.
    at: u64,
    message: Message,
}

impl WebSocket {
    /// A reader of one direction, by the extensions that the fields of the response agree to.
    pub(super) fn new(direction: Direction, response: &[Field]) -> Self {
        Self {
            head: Vec::with_capacity(frame::MAX_HEAD),
            frame: None,
            fragmented: None,
            inflater: Inflater::agreed(direction, response),
            is_compressed: false,
        }
    }

    pub(super) fn read(&mut self, mut input: &[u8], messages: &mut Vec<Message>) -> Result<(), Invalid> {
        loop {
            if self.frame.is_none() {
                let Some(head) = self.head(&mut input)? else { return Ok(()) };
                self.frame = Some(self.begin(head)?);
            }
            self.payload(&mut input)?;
            match self.frame.take_if(|open| open.at == open.frame.length) {
                Some(open) => messages.extend(self.finish(open)?),
                None => return Ok(()),
            }
        }
    }

    /// The message of which only the beginning is there.
    pub(super) fn end(&mut self) -> Option<Message> {
        let open = self.frame.take().map(|open| open.message);
        let left = open.or_else(|| self.fragmented.take());
        if let Some(message) = left {
            return Some(Message { is_cut: true, ..message });
        }
        (!self.head.is_empty()).then(|| Message {
            kind: MessageKind::Malformed,
            wire: self.head.len() as u64,
            payload: std::mem::take(&mut self.head),
            is_cut: true,
            note: Some("the connection ends within the head of a frame"),
        })
    }

    /// The head of the next frame, once all of it has come.
    fn head(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Invalid> {
        while let Some((&first, rest)) = input.split_first() {
            self.head.push(first);
            *input = rest;
            if let Some(frame) = Frame::read(&self.head)? {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// Where the payload of `frame` goes.
    fn begin(&mut self, frame: Frame) -> Result<Open, Invalid> {
        let wire = self.head.len() as u64;
        self.head.clear();
        let begins = matches!(frame.opcode, Opcode::Text | Opcode::Binary);
        if frame.is_compressed && (self.inflater.is_none() || !begins) {
            return Err(Invalid("a WebSocket frame that is compressed where none may be"));
        }
        let kind = match frame.opcode {
            Opcode::Continuation => {
                let mut message = self.fragmented.take().ok_or(Invalid("a WebSocket fragment of no message"))?;
                message.wire += wire;
                return Ok(Open { frame, at: 0, message });
            }
            Opcode::Text => MessageKind::Text,
            Opcode::Binary => MessageKind::Binary,
            Opcode::Close => MessageKind::Close,
            Opcode::Ping => MessageKind::Ping,
            Opcode::Pong => MessageKind::Pong,
        };
        if begins {
            if self.fragmented.is_some() {
                return Err(Invalid("a WebSocket message within another one"));
            }
            self.is_compressed = frame.is_compressed;
        }
        let message = Message { kind, payload: Vec::new(), wire, is_cut: false, note: None };
        Ok(Open { frame, at: 0, message })
    }

    /// Takes what of the frame's payload is in `input`.
    fn payload(&mut self, input: &mut &[u8]) -> Result<(), Invalid> {
        let Some(Open { frame, at, message }) = &mut self.frame else { return Ok(()) };
        let mut unmasked = [0; PIECE];
        while *at < frame.length && !input.is_empty() {
            let left = usize::try_from(frame.length - *at).unwrap_or(usize::MAX);
            let (now, rest) = input.split_at(left.min(input.len()).min(PIECE));
            let unmasked = &mut unmasked[..now.len()];
            frame.unmask(*at, now, unmasked);
            match &mut self.inflater {
                Some(inflater) if self.is_compressed && frame.opcode.is_data() => inflater.feed(unmasked, message)?,
                _ => keep(unmasked, message),
            }
            *at += now.len() as u64;
            message.wire += now.len() as u64;
            *input = rest;
        }
        Ok(())
    }

    /// The frame is complete: its message, if that is as well.
    fn finish(&mut self, open: Open) -> Result<Option<Message>, Invalid> {
        let Open { frame, mut message, .. } = open;
        if !frame.is_final {
            self.fragmented = Some(message);
            return Ok(None);
        }
        if let Some(inflater) = self.inflater.as_mut().filter(|_| self.is_compressed && frame.opcode.is_data()) {
            inflater.finish(&mut message)?;
        }
        Ok(Some(message))
    }
}

/// Bytes that are unmasked at once.
const PIECE: usize = 4 * 1024;

/// Appends `bytes` to what the message says, as far as it is kept.
fn keep(bytes: &[u8], message: &mut Message) {
    let fitting = bytes.len().min(MAX_MESSAGE - message.payload.len());
    message.payload.extend_from_slice(&bytes[..fitting]);
    message.is_cut |= fitting < bytes.len();
}
