//! What is known of a session and not over yet, and what is over and not written yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::body::Body;
use super::connection::Connection;
use super::exchange::Exchange;
use super::{Config, Error};
use crate::engine::decode::mask::Masks;
use crate::engine::decode::stream::Message;
use crate::engine::event::{ConnectionId, Event, ExchangeId, Judged};
use crate::engine::http::exchange::Direction;
use crate::engine::http::tape::Passed;
use crate::engine::http::{Field, RequestHead};

/// How bodies are kept.
pub(super) struct Keeping {
    pub(super) max_body: u64,
    pub(super) masks: Option<Arc<Masks>>,
}

/// A row that never changes.
pub(super) enum Row {
    Message { exchange: u64, direction: Direction, at: i64, message: Message },
    Event { at: i64, event: Event },
    Secret { at: i64, side: &'static str, line: String },
}

pub(super) struct Book {
    pub(super) keeping: Keeping,
    pub(super) connections: BTreeMap<u64, Connection>,
    /// Boxed: they come and go by the thousand, and moving them about is most of the work then.
    pub(super) exchanges: BTreeMap<u64, Box<Exchange>>,
    pub(super) rows: Vec<Row>,
    unrecorded_bytes: u64,
    pub(super) unrecorded_exchanges: u64,
}

impl Book {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        let masks = config.redact.then(|| Masks::new(&config.redact_fields)).transpose()?.map(Arc::new);
        Ok(Self {
            keeping: Keeping { max_body: config.max_body, masks },
            connections: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            rows: Vec::new(),
            unrecorded_bytes: 0,
            unrecorded_exchanges: 0,
        })
    }

    /// Notes a fact.
    pub(super) fn event(&mut self, at: i64, event: Event) {
        match &event {
            Event::ConnectionAccepted { connection: id, child, orig_dst, process } => {
                self.connections.insert(id.0, Connection::new(at, *child, *orig_dst, process.clone()));
            }
            // What they say, the judgement says as well.
            Event::ExchangeRefused { .. }
            | Event::ExchangeMocked { .. }
            | Event::ExchangeRedirected { .. }
            | Event::ExchangeAllowed { .. } => {}
            Event::ExchangeFinished { exchange, error, .. } => self.finish(at, *exchange, error.clone()),
            _ => {
                let known = event.connection().and_then(|id| self.connections.get_mut(&id.0));
                if let Some(known) = known {
                    known.note(at, &event);
                }
                if !is_in_connections(&event) {
                    self.rows.push(Row::Event { at, event });
                }
            }
        }
    }

    /// Notes the verdict of a request, or of a connection that is not read.
    pub(super) fn judged(&mut self, judged: Judged) {
        let Judged { verdict, rule, reason, rules, .. } = judged;
        if let Some(id) = judged.exchange {
            let Some(exchange) = self.exchanges.get_mut(&id.0) else { return };
            (exchange.verdict, exchange.rule, exchange.reason) = (verdict, rule, reason);
            (exchange.rules, exchange.is_dirty) = (rules, true);
        } else if let Some(connection) = self.connections.get_mut(&judged.connection.0) {
            (connection.verdict, connection.rule) = (Some(verdict), rule);
            (connection.rules, connection.is_dirty) = (Some(rules), true);
        }
    }

    fn finish(&mut self, at: i64, id: ExchangeId, error: Option<String>) {
        let Some(exchange) = self.exchanges.get_mut(&id.0) else { return };
        let messages = exchange.finish(at, error);
        for (direction, message) in messages {
            self.message(at, id, direction, message);
        }
    }

    /// Notes a secret of a TLS connection. Where credentials are masked, what would show them elsewhere is not kept.
    pub(super) fn secret(&mut self, at: i64, side: &'static str, line: String) {
        if self.keeping.masks.is_none() {
            self.rows.push(Row::Secret { at, side, line });
        }
    }

    /// Notes a part of an exchange.
    pub(super) fn passed(&mut self, at: i64, id: ExchangeId, part: Passed) {
        if let Passed::Request(connection, head) = part {
            return self.begin(at, id, connection, *head);
        }
        let Some(exchange) = self.exchanges.get_mut(&id.0) else { return };
        let mask = |mut fields: Vec<Field>| {
            if let Some(masks) = &self.keeping.masks {
                masks.fields(&mut fields);
            }
            fields
        };
        let (direction, messages) = match part {
            Passed::Request(..) => return,
            Passed::Response(status, fields) => return exchange.answer(at, status, mask(fields)),
            Passed::Trailers(direction, fields) => {
                exchange.is_dirty = true;
                exchange.side(direction).trailers = Some(mask(fields));
                return;
            }
            Passed::Data(direction, content) => (direction, exchange.data(direction, &content, &self.keeping)),
            Passed::End(direction) => (direction, exchange.end(at, direction)),
        };
        for message in messages {
            self.message(at, id, direction, message);
        }
    }

    fn begin(&mut self, at: i64, id: ExchangeId, connection: ConnectionId, mut head: RequestHead) {
        if let Some(connection) = self.connections.get_mut(&connection.0) {
            connection.speaks_http(head.host());
        }
        if let Some(masks) = &self.keeping.masks {
            mask(masks, &mut head);
        }
        self.exchanges.insert(id.0, Box::new(Exchange::new(connection.0, at, head)));
    }

    fn message(&mut self, at: i64, exchange: ExchangeId, direction: Direction, mut message: Message) {
        if let Some(masks) = &self.keeping.masks {
            masks.text(&mut message.payload);
        }
        self.rows.push(Row::Message { exchange: exchange.0, direction, at, message });
    }

    /// The session ends: what is open stays so, as far as it has come.
    pub(super) fn end(&mut self) {
        for exchange in self.exchanges.values_mut() {
            for direction in Direction::BOTH {
                if let Some(body) = &mut exchange.side(direction).body {
                    body.end();
                    exchange.is_dirty = true;
                }
            }
        }
    }

    /// Whether something has changed that is not written.
    pub(super) fn is_dirty(&self) -> bool {
        self.connections.values().any(|connection| connection.is_dirty)
            || self.exchanges.values().any(|exchange| exchange.is_dirty)
    }

    /// All of it is written: what is over is no longer needed.
    pub(super) fn written(&mut self) {
        self.rows.clear();
        self.connections.retain(|_, connection| {
            connection.is_dirty = false;
            connection.closed.is_none()
        });
        self.exchanges.retain(|_, exchange| {
            exchange.is_dirty = false;
            [&mut exchange.request.body, &mut exchange.reply.body].into_iter().flatten().for_each(Body::written);
            exchange.finished.is_none()
        });
    }

    /// Lets go of what cannot be written, and counts it.
    pub(super) fn forget(&mut self) {
        for exchange in self.exchanges.values_mut() {
            self.unrecorded_exchanges += u64::from(exchange.finished.is_some());
            for side in [&mut exchange.request, &mut exchange.reply] {
                self.unrecorded_bytes += side.body.as_mut().map_or(0, Body::forget);
            }
        }
        let messages = self.rows.iter().map(|row| match row {
            Row::Message { message, .. } => message.payload.len() as u64,
            Row::Event { .. } | Row::Secret { .. } => 0,
        });
        self.unrecorded_bytes += messages.sum::<u64>();
        self.rows.clear();
        self.connections.retain(|_, connection| connection.closed.is_none());
        self.exchanges.retain(|_, exchange| exchange.finished.is_none());
    }

    /// Bytes that passed and could not be written.
    pub(super) const fn unrecorded(&self) -> u64 {
        self.unrecorded_bytes
    }
}

/// Masks what in the head of a request is a secret. Masks change no length, so that the parts of the URL stay where they
/// are.
fn mask(masks: &Masks, head: &mut RequestHead) {
    masks.fields(&mut head.fields);
    masks.fields(&mut head.pseudo);
    let url = masks.url(&head.url());
    let authority = head.scheme.len() + "://".len();
    let path = authority + head.authority.len();
    if let (Some(masked), Some(rest)) = (url.get(authority..path), url.get(path..)) {
        (head.authority, head.path) = (masked.to_owned(), rest.to_owned());
    }
}

/// Whether the row of its connection says all that `event` does.
const fn is_in_connections(event: &Event) -> bool {
    matches!(
        event,
        Event::ConnectionAccepted { .. }
            | Event::ConnectionClosed { .. }
            | Event::UpstreamConnected { .. }
            | Event::TlsIntercepted { .. }
    )
}
