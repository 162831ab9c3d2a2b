//! One direction of an exchange whose body is changed: as a whole, or message by message as they come.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Failed;
use crate::engine::decode::coding::{Coding, Unpacker, codings};
use crate::engine::decode::protobuf::schema::{MessageType, Unreadable};
use crate::engine::decode::stream::{Kind, Message, MessageKind, Reader, sse};
use crate::engine::http::exchange::Direction;
use crate::engine::http::{Field, elements, values};

/// Most bytes of a body that is changed as a whole, decoded.
pub(super) const MAX_BODY: usize = 8 << 20;
/// The key with which changed WebSocket messages of the child are masked. It keeps what scripts send from looking like
/// something else to proxies on the way (RFC 6455 section 10.3); inside TLS, and from a proxy, nothing is gained by chance.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x96, 0x3c];

/// Something that changes content.
pub trait Change: Send {
    /// What the content becomes; nothing, if a message is to be left out.
    ///
    /// # Errors
    /// If it cannot be changed: it then goes no further.
    fn change(&mut self, content: &Content<'_>) -> Result<Option<Vec<u8>>, Failed>;
}

/// A body, or a message of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// What it says: decompressed, unmasked, defragmented.
    pub payload: &'a [u8],
    /// Which way it goes.
    pub direction: Direction,
    /// What kind of message it is; none for a body.
    pub message: Option<MessageKind>,
    /// It says that it is JSON.
    pub is_json: bool,
}

/// Changes one direction.
pub struct Transform {
    direction: Direction,
    framing: Framing,
    changes: Vec<Box<dyn Change>>,
    /// What its messages of protocol buffers are.
    of_type: Option<MessageType>,
}

enum Framing {
    /// The body is changed when all of it is there.
    Whole { body: Vec<u8>, is_json: bool, codings: Option<Vec<Coding>> },
    /// Each message is changed as it comes.
    Messages { kind: Kind, reader: Reader, is_json: bool, is_over: bool },
}

impl Transform {
    /// Changes `direction` of an exchange by its heads: the fields of the request, what it wants the connection to
    /// become, and, if they are known, status and fields of the response.
    #[must_use]
    pub fn new(
        direction: Direction,
        request: &[Field],
        tunnel: Option<&str>,
        response: Option<(u16, &[Field])>,
        changes: Vec<Box<dyn Change>>,
    ) -> Self {
        let fields = match direction {
            Direction::Request => request,
            Direction::Response => response.map(|(_, fields)| fields).unwrap_or_default(),
        };
        let is_json = says_json(fields);
        let framing = match Kind::of(direction, request, tunnel, response) {
            Some(kind) => {
                let response = response.map(|(_, fields)| fields).unwrap_or_default();
                Framing::Messages {
                    kind,
                    reader: Reader::new(kind, direction, request, response),
                    is_json,
                    is_over: false,
                }
            }
            None => Framing::Whole { body: Vec::new(), is_json, codings: codings(fields) },
        };
        Self { direction, framing, changes, of_type: None }
    }

    /// Its messages of protocol buffers are of this type, if one is known.
    #[must_use]
    pub fn of_type(self, of_type: Option<MessageType>) -> Self {
        Self { of_type, ..self }
    }

    /// Whether it is changed as a whole, and nothing comes of it before its end.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        matches!(self.framing, Framing::Whole { .. })
    }

    /// Takes from a head, or from trailers, what is no longer true.
    pub fn mend(&self, fields: &mut Vec<Field>) {
        // Of what was true of the body as it was sent.
        const UNTRUE: [&str; 6] =
            ["content-length", "content-encoding", "content-md5", "digest", "content-digest", "repr-digest"];
        const RANGES: &str = "accept-ranges";
        let is_tunnel = matches!(self.framing, Framing::Messages { kind: Kind::WebSocket, .. });
        if !is_tunnel {
            fields.retain(|field| !UNTRUE.iter().any(|untrue| field.is(untrue)) && !field.is(RANGES));
        }
    }

    /// Takes the next bytes, and appends to `out` what comes of them.
    ///
    /// # Errors
    /// If they cannot be changed; nothing of the direction may go on then.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Failed> {
        match &mut self.framing {
            Framing::Whole { body, .. } if body.len() + input.len() > MAX_BODY => Err(too_large()),
            Framing::Whole { body, .. } => {
                body.extend_from_slice(input);
                Ok(())
            }
            Framing::Messages { reader, .. } => {
                let mut messages = Vec::new();
                reader.feed(input, &mut messages);
                messages.iter().try_for_each(|message| self.message(message, out))
            }
        }
    }

    /// The direction has ended: appends what is still to come.
    ///
    /// # Errors
    /// As [`Transform::push`].
    pub fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failed> {
        match &mut self.framing {
            Framing::Whole { body, is_json, codings } => {
                let body = std::mem::take(body);
                // Nothing is nothing, changed or not.
                if body.is_empty() {
                    return Ok(());
                }
                let codings = codings.take().ok_or_else(|| Failed::new("its content coding is not known"))?;
                let (body, is_json) = (unpacked(body, &codings)?, *is_json);
                out.extend(self.changed(&body, None, is_json)?.unwrap_or_default());
                Ok(())
            }
            Framing::Messages { reader, is_over, .. } => {
                if std::mem::replace(is_over, true) {
                    return Ok(());
                }
                let mut messages = Vec::new();
                reader.end(&mut messages);
                // What ends within an event is none (WHATWG HTML, section 9.2.6).
                messages.retain(|message| message.kind != MessageKind::Event || message.note.is_some());
                messages.iter().try_for_each(|message| self.message(message, out))
            }
        }
    }

    fn changed(
        &mut self,
        payload: &[u8],
        message: Option<MessageKind>,
        is_json: bool,
    ) -> Result<Option<Vec<u8>>, Failed> {
        let mut payload = payload.to_vec();
        for change in &mut self.changes {
            let content = Content { payload: &payload, direction: self.direction, message, is_json };
            match change.change(&content)? {
                Some(changed) => payload = changed,
                None => return Ok(None),
            }
        }
        Ok(Some(payload))
    }

    /// Changes a message of protocol buffers, as its JSON.
    fn typed(&mut self, payload: &[u8], of_type: &MessageType) -> Result<Option<Vec<u8>>, Failed> {
        let unreadable = |error: Unreadable| Failed::new(error.to_string());
        let json = of_type.to_json(payload).map_err(unreadable)?;
        match self.changed(&json, Some(MessageKind::Message), true)? {
            None => Ok(None),
            Some(changed) if changed == json => Ok(Some(payload.to_vec())),
            Some(changed) => of_type.of_json(&changed).map(Some).map_err(unreadable),
        }
    }

    /// Changes a message and writes it anew.
    fn message(&mut self, message: &Message, out: &mut Vec<u8>) -> Result<(), Failed> {
        let Framing::Messages { kind, is_json, .. } = &self.framing else { return Ok(()) };
        let (kind, is_json) = (*kind, *is_json);
        if message.kind == MessageKind::Malformed || message.is_cut {
            return Err(Failed::new(message.note.unwrap_or("a message that is too large or not complete")));
        }
        if let Some(note) = message.note {
            return Err(Failed::new(note));
        }
        match message.kind {
            MessageKind::Event => self.event(&message.payload, out)?,
            MessageKind::Message => {
                let payload = match (is_json, self.of_type.clone()) {
                    (true, _) => self.changed(&message.payload, Some(message.kind), true)?,
                    (false, Some(of_type)) => self.typed(&message.payload, &of_type)?,
                    (false, None) => {
                        return Err(Failed::new("its messages are of an unknown type: name it in `schema`"));
                    }
                };
                if let Some(payload) = payload {
                    enveloped(kind, 0, &payload, out);
                }
            }
            MessageKind::Trailers => enveloped(kind, 0x80, &message.payload, out),
            MessageKind::EndStream => enveloped(kind, 0x02, &message.payload, out),
            MessageKind::Text | MessageKind::Binary => {
                if let Some(payload) = self.changed(&message.payload, Some(message.kind), false)? {
                    self.frame(message.kind, &payload, out);
                }
            }
            MessageKind::Ping | MessageKind::Pong | MessageKind::Close => {
                self.frame(message.kind, &message.payload, out);
            }
            MessageKind::Malformed => {}
        }
        Ok(())
    }

    /// An event whose data are changed; its other lines, and one without data, stay as they came.
    fn event(&mut self, block: &[u8], out: &mut Vec<u8>) -> Result<(), Failed> {
        let data = sse::Event::parse(block).data;
        let changed = match data.as_bytes() {
            b"" => Some(Vec::new()),
            data => self.changed(data, Some(MessageKind::Event), false)?,
        };
        let Some(changed) = changed else { return Ok(()) };
        if changed == data.as_bytes() {
            out.extend_from_slice(block);
            out.extend_from_slice(b"\n\n");
            return Ok(());
        }
        let text = String::from_utf8_lossy(block);
        let mut is_written = false;
        for line in sse::lines(&text) {
            let is_data = line == "data" || line.starts_with("data:");
            if !is_data {
                out.extend_from_slice(line.as_bytes());
                out.push(b'\n');
            } else if !std::mem::replace(&mut is_written, true) {
                for line in changed.split(|byte| *byte == b'\n') {
                    out.extend_from_slice(b"data: ");
                    out.extend_from_slice(line);
                    out.push(b'\n');
                }
            }
        }
        out.push(b'\n');
        Ok(())
    }

    /// One WebSocket message in one frame (RFC 6455 section 5.2).
    fn frame(&self, kind: MessageKind, payload: &[u8], out: &mut Vec<u8>) {
        let Some(opcode) = kind.opcode() else { return };
        let masked = if self.direction == Direction::Request { 0x80 } else { 0 };
        out.push(0x80 | opcode);
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length @ 0..=125), _) => out.push(masked | length),
            (_, Ok(length)) => {
                out.push(masked | 126);
                out.extend_from_slice(&length.to_be_bytes());
            }
            _ => {
                out.push(masked | 127);
                out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
            }
        }
        if masked == 0 {
            return out.extend_from_slice(payload);
        }
        out.extend_from_slice(&MASK);
        out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }
}

/// A message behind its flags and length, uncompressed (gRPC over HTTP/2, "Length-Prefixed-Message").
pub(crate) fn enveloped(kind: Kind, flags: u8, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let message = [&[flags][..], &length.to_be_bytes(), payload].concat();
    if kind == Kind::GrpcWebText {
        out.extend_from_slice(STANDARD.encode(message).as_bytes());
    } else {
        out.extend_from_slice(&message);
    }
}

fn unpacked(body: Vec<u8>, codings: &[Coding]) -> Result<Vec<u8>, Failed> {
    if codings.is_empty() {
        return Ok(body);
    }
    let mut unpacker = Unpacker::new(codings, MAX_BODY);
    let mut unpacked = Vec::new();
    let done = unpacker.feed(&body, &mut unpacked).and_then(|()| unpacker.finish());
    done.map(|()| unpacked)
        .map_err(|invalid| Failed::new(format!("its content coding cannot be undone: {}", invalid.0)))
}

fn too_large() -> Failed {
    Failed::new(format!("a body of more than {MAX_BODY} bytes cannot be changed as a whole"))
}

fn says_json(fields: &[Field]) -> bool {
    let media = values(fields, "content-type").next().map(|value| value.to_ascii_lowercase()).unwrap_or_default();
    let media = media.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    media.ends_with(b"/json") || media.ends_with(b"+json")
}

/// Asks for a response that can be changed: all of it, in a coding that can be undone, and of a WebSocket without
/// extensions.
pub fn prepare(fields: &mut Vec<Field>) {
    let undone = |element: &&[u8]| {
        let name = element.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        Coding::named(name).is_some()
    };
    let accepted: Vec<Vec<u8>> = elements(fields, "accept-encoding").filter(undone).map(<[u8]>::to_vec).collect();
    let had_any = values(fields, "accept-encoding").next().is_some();
    let gone = ["range", "if-range", "accept-encoding", "sec-websocket-extensions"];
    fields.retain(|field| !gone.iter().any(|name| field.is(name)));
    if had_any {
        let accepted = if accepted.is_empty() { b"identity".to_vec() } else { accepted.join(&b", "[..]) };
        fields.push(Field::new("accept-encoding", accepted));
    }
}
