//! What the halves of an exchange say, for people: heads, bodies, messages.

use crate::engine::decode::chat;
use crate::engine::decode::present::{Form, present};
use crate::engine::decode::protobuf::{self, schema::MessageType, schema::Schema};
use crate::engine::decode::stream::MessageKind;
use crate::engine::decode::stream::sse::Event;
use crate::engine::http::exchange::Direction;
use crate::engine::record::{Exchange, Half, Message, time};
use crate::ui::colour::Ink;
use crate::ui::table;

use super::page::Page;

/// How an exchange is shown.
pub(in crate::app) struct View<'a> {
    pub(in crate::app) exchange: &'a Exchange,
    pub(in crate::app) schema: &'a Schema,
    /// Each message, also where they have been put together.
    pub(in crate::app) each: bool,
    /// When each message came.
    pub(in crate::app) times: bool,
}

/// One half of an exchange without what is of the moment: what two exchanges are compared by.
pub(in crate::app) fn lines(exchange: &Exchange, direction: Direction, schema: &Schema) -> String {
    let mut page = Page::new(crate::ui::colour::Paint::off());
    View { exchange, schema, each: true, times: false }.half(direction, &mut page);
    page.into_text()
}

impl View<'_> {
    /// Writes one direction: its head, its body or its messages, its trailers.
    pub(in crate::app) fn half(&self, direction: Direction, page: &mut Page) {
        let Some(half) = self.of(direction) else { return };
        page.fields(&half.head);
        if self.messages(direction).next().is_some() {
            page.gap();
            self.stream(direction, page);
        } else if half.body.is_some() {
            page.gap();
            self.body(direction, half, page);
        }
        if !half.trailers.is_empty() {
            page.gap();
            page.fields(&half.trailers);
        }
    }

    fn of(&self, direction: Direction) -> Option<&Half> {
        match direction {
            Direction::Request => Some(&self.exchange.request),
            Direction::Response => self.exchange.response.as_ref(),
        }
    }

    fn messages(&self, direction: Direction) -> impl Iterator<Item = &Message> {
        self.exchange.messages.iter().filter(move |message| message.direction == direction)
    }

    fn body(&self, direction: Direction, half: &Half, page: &mut Page) {
        let (decoded, content_type) = (half.decoded(), half.value("content-type"));
        let (form, text) = match self.protobuf_body(direction, content_type, &decoded.bytes) {
            Some(text) => ("protobuf", text),
            None => {
                let presented = present(content_type, &decoded.bytes);
                (presented.form.name(), presented.text)
            }
        };
        page.line(Ink::Faint, &about(half, form, decoded.bytes.len(), decoded.note));
        page.block(&text);
        if direction == Direction::Response
            && let Some(chat) = chat::of_json(&decoded.bytes)
        {
            page.gap();
            page.line(Ink::Faint, "chat");
            page.block(&chat.to_string());
        }
    }

    /// A body that is one message of protocol buffers, as unary calls of Connect have.
    fn protobuf_body(&self, direction: Direction, content_type: Option<&str>, bytes: &[u8]) -> Option<String> {
        let media = content_type?.split(';').next()?.trim().to_ascii_lowercase();
        let is_protobuf = matches!(
            media.as_str(),
            "application/proto" | "application/protobuf" | "application/x-protobuf" | "application/vnd.google.protobuf"
        );
        if is_protobuf && !bytes.is_empty() { self.protobuf(direction, bytes) } else { None }
    }

    /// A message of protocol buffers by its schema, or by what can be guessed.
    fn protobuf(&self, direction: Direction, bytes: &[u8]) -> Option<String> {
        let typed = |kind: &MessageType| Some(format!("{} {}", kind.name(), kind.text(bytes).ok()?));
        self.message_type(direction).as_ref().and_then(typed).or_else(|| protobuf::text(bytes))
    }

    fn message_type(&self, direction: Direction) -> Option<MessageType> {
        let method = self.schema.method(&self.exchange.outline.path)?;
        Some(match direction {
            Direction::Request => method.input,
            Direction::Response => method.output,
        })
    }

    fn stream(&self, direction: Direction, page: &mut Page) {
        let events: Vec<Event> = self
            .messages(direction)
            .filter(|message| message.kind == MessageKind::Event)
            .map(|message| Event::parse(&message.payload))
            .collect();
        if let Some(chat) = chat::of_events(&events).filter(|_| !events.is_empty()) {
            page.line(Ink::Faint, &format!("chat, from {} events", events.len()));
            page.block(&chat.to_string());
            if !self.each {
                page.line(Ink::Faint, "`--messages` shows each event");
                return;
            }
            page.gap();
        }
        self.messages(direction).for_each(|message| self.message(message, page));
    }

    fn message(&self, message: &Message, page: &mut Page) {
        let (name, text) = match message.kind {
            MessageKind::Message => ("message", self.envelope(message)),
            MessageKind::Event => return self.event(message, page),
            MessageKind::Close => ("close", close(&message.payload)),
            MessageKind::Trailers
            | MessageKind::EndStream
            | MessageKind::Text
            | MessageKind::Binary
            | MessageKind::Ping
            | MessageKind::Pong
            | MessageKind::Malformed => (message.kind.name(), present(None, &message.payload).text),
        };
        page.line(Ink::Faint, &self.label(message, name));
        page.block(&text);
    }

    /// A message of gRPC, gRPC-Web or Connect.
    fn envelope(&self, message: &Message) -> String {
        let half = self.of(message.direction);
        let is_json = half.and_then(|half| half.value("content-type")).is_some_and(|kind| kind.contains("json"));
        if message.payload.is_empty() {
            return String::new();
        }
        let typed = if is_json { None } else { self.protobuf(message.direction, &message.payload) };
        typed.unwrap_or_else(|| present(is_json.then_some("application/json"), &message.payload).text)
    }

    fn event(&self, message: &Message, page: &mut Page) {
        let Event { event, data, id, retry, comments } = Event::parse(&message.payload);
        let name = if event.is_empty() { "event".to_owned() } else { format!("event {event}") };
        let id = id.map(|id| format!(", id {id}")).unwrap_or_default();
        let retry = retry.map(|retry| format!(", retry after {retry} ms")).unwrap_or_default();
        page.line(Ink::Faint, &format!("{}{id}{retry}", self.label(message, &name)));
        comments.iter().for_each(|comment| page.block(&format!(": {comment}")));
        page.block(&present(None, data.as_bytes()).text);
    }

    fn label(&self, message: &Message, name: &str) -> String {
        let at = if self.times { format!("{}  ", time::clock(message.at)) } else { String::new() };
        let cut = if message.is_cut { ", cut" } else { "" };
        let note = message.note.as_ref().map(|note| format!(", {note}")).unwrap_or_default();
        format!("{at}{name}, {}{cut}{note}", table::bytes(message.size))
    }
}

/// A line about a body: how large it is, and what.
fn about(half: &Half, form: &str, decoded: usize, note: Option<&str>) -> String {
    let mut text = format!("body, {}", table::bytes(half.size));
    if decoded as u64 != half.size {
        text.push_str(&format!(", {} decoded", table::bytes(decoded as u64)));
    }
    if form != Form::Empty.name() {
        text.push_str(&format!(", {form}"));
    }
    let body = half.body.as_ref();
    let (is_cut, is_open) = body.map_or((false, false), |body| (body.is_cut, body.is_open));
    let notes = [is_cut.then_some("not all of it was kept"), is_open.then_some("still coming"), note];
    notes.into_iter().flatten().for_each(|note| text.push_str(&format!("; {note}")));
    text
}

/// A code and a reason (RFC 6455 section 5.5.1).
fn close(payload: &[u8]) -> String {
    match payload.split_first_chunk::<2>() {
        Some((code, reason)) => format!("{} {}", u16::from_be_bytes(*code), String::from_utf8_lossy(reason)),
        None => "without a code".to_owned(),
    }
}
