//! Messages of streams as a script sees them, and what becomes of them.

use bytes::Bytes;
use rquickjs::{Ctx, Object, Value};

use super::body;
use super::error::Fault;
use super::request::changed_body;
use crate::engine::decode::stream::MessageKind;
use crate::engine::http::exchange::Direction;

/// A message of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Where it goes.
    pub direction: Direction,
    /// What it is; scripts see events, text, binary messages, and messages of calls.
    pub kind: MessageKind,
    /// What it says, at most [`MAX_BODY`](super::MAX_BODY).
    pub payload: &'a [u8],
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on as it is.
    Pass,
    /// It goes on, and says this: text, if the message was text or an event.
    Change(Bytes),
    /// It does not go on.
    Drop,
}

impl Message<'_> {
    /// Whether a script sees it.
    pub(super) const fn is_shown(&self) -> bool {
        use MessageKind::{Binary, Event, Message, Text};
        matches!(self.kind, Event | Text | Binary | Message)
    }

    const fn is_text(&self) -> bool {
        matches!(self.kind, MessageKind::Event | MessageKind::Text)
    }
}

/// A message that a script is given.
pub(super) struct Shown<'js> {
    pub(super) object: Object<'js>,
    data: Value<'js>,
}

impl<'js> Shown<'js> {
    pub(super) fn new(ctx: &Ctx<'js>, message: &Message<'_>) -> Result<Self, Fault> {
        let show = if message.is_text() { body::show } else { body::show_bytes };
        let data = show(ctx, message.payload)?;
        let object = Object::new(ctx.clone())?;
        object.set("direction", message.direction.name())?;
        object.set("kind", message.kind.name())?;
        object.set("data", data.clone())?;
        Ok(Self { object, data })
    }

    /// What becomes of `message`, which this shows, by what `onMessage` returned.
    pub(super) fn fate(&self, returned: &Value<'js>, message: &Message<'_>) -> Result<Fate, Fault> {
        if returned.is_null() {
            return Ok(Fate::Drop);
        }
        let replacement = match returned.as_object() {
            _ if returned.is_string() => body::read(returned, "the message")?.map(|(bytes, _)| bytes),
            None if returned.is_undefined() => changed_body(&self.object, "data", &self.data)?,
            Some(object) if object.contains_key("data")? => changed_body(object, "data", &self.data)?,
            Some(_) => body::read_bytes(returned)?.map(Some).ok_or_else(refused)?,
            None => return Err(refused()),
        };
        let Some(bytes) = replacement.filter(|bytes| *bytes != message.payload) else { return Ok(Fate::Pass) };
        if message.is_text() && std::str::from_utf8(&bytes).is_err() {
            return Fault::unusable(format!(
                "the data of this message, which is of kind {}, must be text",
                message.kind.name()
            ));
        }
        Ok(Fate::Change(bytes))
    }
}

fn refused() -> Fault {
    let text = "onMessage returned what is no message: return nothing, the message, a string, an Uint8Array, or null";
    Fault::Unusable(text.to_owned())
}
