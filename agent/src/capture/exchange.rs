//! One exchange as it is recorded: what is known of it so far, its bodies, and the readers of its messages.

use std::sync::Arc;

use super::body::{Body, Masking};
use super::book::Keeping;
use crate::engine::decode::stream::{Kind, Message, Reader};
use crate::engine::http::exchange::Direction;
use crate::engine::http::{Field, RequestHead};

/// An exchange.
pub(super) struct Exchange {
    pub(super) connection: u64,
    pub(super) head: RequestHead,
    pub(super) started: i64,
    pub(super) sent: Option<i64>,
    pub(super) answered: Option<i64>,
    pub(super) received: Option<i64>,
    pub(super) finished: Option<i64>,
    pub(super) status: Option<u16>,
    pub(super) informational: Vec<(u16, Vec<Field>)>,
    pub(super) response: Option<Vec<Field>>,
    pub(super) verdict: &'static str,
    /// The rule that decided, if one did.
    pub(super) rule: Option<String>,
    /// Why, if that was said.
    pub(super) reason: Option<String>,
    /// The hash of the rules in force.
    pub(super) rules: String,
    pub(super) error: Option<String>,
    pub(super) stream: Option<Kind>,
    pub(super) request: Side,
    pub(super) reply: Side,
    /// The row does not say all of it.
    pub(super) is_dirty: bool,
}

/// One direction of an exchange.
#[derive(Default)]
pub(super) struct Side {
    pub(super) body: Option<Body>,
    pub(super) trailers: Option<Vec<Field>>,
    /// Bytes of it that have passed.
    pub(super) size: u64,
    reader: Messages,
}

/// Whether what passes is read as messages.
#[derive(Default)]
enum Messages {
    /// Not known yet.
    #[default]
    Unknown,
    /// It is a body as any other.
    None,
    Read(Box<Reader>),
}

impl Exchange {
    /// An exchange that begins.
    pub(super) fn new(connection: u64, started: i64, head: RequestHead) -> Self {
        Self {
            connection,
            head,
            started,
            sent: None,
            answered: None,
            received: None,
            finished: None,
            status: None,
            informational: Vec::new(),
            response: None,
            verdict: "allow",
            rule: None,
            reason: None,
            rules: String::new(),
            error: None,
            stream: None,
            request: Side::default(),
            reply: Side::default(),
            is_dirty: true,
        }
    }

    pub(super) const fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.reply,
        }
    }

    /// Notes the head of a response. 101 is the last one: what follows is no HTTP.
    pub(super) fn answer(&mut self, at: i64, status: u16, fields: Vec<Field>) {
        self.is_dirty = true;
        if status < 200 && status != 101 {
            self.informational.push((status, fields));
            return;
        }
        self.answered.get_or_insert(at);
        self.status = Some(status);
        self.response = Some(fields);
        if self.head.tunnel.is_some() {
            // What was a request that is over may be the beginning of a tunnel.
            self.request.reader = Messages::Unknown;
        }
    }

    /// Takes content; what messages that completes.
    pub(super) fn data(&mut self, direction: Direction, content: &[u8], keeping: &Keeping) -> Vec<Message> {
        self.is_dirty = true;
        let mut messages = Vec::new();
        let kind = self.kind(direction);
        let is_tunnel = kind == Some(Kind::WebSocket);
        if let Some(reader) = self.reader(direction, kind) {
            reader.feed(content, &mut messages);
        }
        let Self { head, response, request, reply, .. } = self;
        let (side, fields) = match direction {
            Direction::Request => (request, &head.fields[..]),
            Direction::Response => (reply, response.as_deref().unwrap_or_default()),
        };
        side.size += content.len() as u64;
        // The messages of a WebSocket are all that there is to keep of it.
        if !is_tunnel {
            let masking = || keeping.masks.as_ref().map(|masks| Masking::new(Arc::clone(masks), fields));
            side.body.get_or_insert_with(|| Body::new(keeping.max_body, masking())).push(content);
        }
        messages
    }

    /// Notes that a direction is complete; what messages that completes.
    pub(super) fn end(&mut self, at: i64, direction: Direction) -> Vec<Message> {
        self.is_dirty = true;
        match direction {
            Direction::Request => self.sent.get_or_insert(at),
            Direction::Response => self.received.get_or_insert(at),
        };
        self.over(direction)
    }

    /// Notes the end of it all.
    pub(super) fn finish(&mut self, at: i64, error: Option<String>) -> Vec<(Direction, Message)> {
        self.is_dirty = true;
        self.finished = Some(at);
        self.error = error;
        let rest = |direction| self.over(direction).into_iter().map(move |message| (direction, message));
        Direction::BOTH.into_iter().flat_map(rest).collect()
    }

    fn over(&mut self, direction: Direction) -> Vec<Message> {
        let mut messages = Vec::new();
        let side = self.side(direction);
        if let Some(body) = &mut side.body {
            body.end();
        }
        if let Messages::Read(mut reader) = std::mem::replace(&mut side.reader, Messages::None) {
            reader.end(&mut messages);
        }
        messages
    }

    fn kind(&self, direction: Direction) -> Option<Kind> {
        let response = self.status.zip(self.response.as_deref());
        Kind::of(direction, &self.head.fields, self.head.tunnel.as_deref(), response)
    }

    fn reader(&mut self, direction: Direction, kind: Option<Kind>) -> Option<&mut Reader> {
        if matches!(self.side(direction).reader, Messages::Unknown) {
            let reader = kind.map(|kind| {
                let response = self.response.as_deref().unwrap_or_default();
                Box::new(Reader::new(kind, direction, &self.head.fields, response))
            });
            self.stream = self.stream.or(kind);
            self.side(direction).reader = reader.map_or(Messages::None, Messages::Read);
        }
        match &mut self.side(direction).reader {
            Messages::Read(reader) => Some(reader),
            Messages::Unknown | Messages::None => None,
        }
    }
}
