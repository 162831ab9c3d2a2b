//! What the process in the session is told, and what it says.

use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::engine::decode::stream::{Kind, Reader};
use crate::engine::http::Field;
use crate::engine::http::exchange::Direction;
use crate::engine::record::{Content, Exchange, Half, Message};

/// Names and values in their order.
pub(super) type Fields = Vec<(String, String)>;

/// Fields that are of a connection, which is another one now.
const OF_CONNECTIONS: [&str; 5] = ["connection", "http2-settings", "keep-alive", "proxy-connection", "upgrade"];

/// A request that is to be sent.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    /// Where to.
    pub(super) address: SocketAddr,
    /// Whether over TLS.
    pub(super) is_tls: bool,
    /// The server name to ask for; without one, none is.
    pub(super) name: Option<String>,
    /// Certificates to trust, in PEM.
    pub(super) authority: String,
    /// As in `HTTP/1.1`.
    pub(super) version: String,
    pub(super) method: String,
    /// With scheme and authority.
    pub(super) url: String,
    /// Path and query.
    pub(super) path: String,
    pub(super) fields: Fields,
    /// In base64; none if the request has no body.
    pub(super) body: Option<String>,
}

impl Order {
    /// The request of `exchange`, for a server whose certificate `authority` signs.
    ///
    /// # Errors
    /// If it cannot be sent again.
    pub(super) fn of(exchange: &Exchange, authority: String) -> anyhow::Result<Self> {
        let (outline, half) = (&exchange.outline, &exchange.request);
        let is_tunnel = outline.method == "CONNECT" || outline.stream.as_deref() == Some("websocket");
        ensure!(!is_tunnel, "what it begins is not HTTP");
        let connection = exchange.connection.as_ref().context("its connection is not recorded")?;
        let body = half.body.as_ref();
        if body.is_some_and(|body| body.is_cut || body.is_open) {
            bail!("not all of its body was kept");
        }
        let is_decoded = body.is_some_and(|body| body.is_decoded);
        Ok(Self {
            address: connection.destination.parse().context("its destination is no address")?,
            is_tls: outline.scheme == "https",
            name: connection.sni.clone(),
            authority,
            version: outline.version.clone(),
            method: outline.method.clone(),
            url: outline.url(),
            path: outline.path.clone(),
            fields: fields(half, is_decoded),
            body: body.map(|body| STANDARD.encode(&body.bytes)),
        })
    }
}

/// Those that are sent again. A body whose coding was undone is sent as it is.
fn fields(half: &Half, is_decoded: bool) -> Fields {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let length = half.body.as_ref().map_or(0, |body| body.bytes.len());
    let is_sent = |field: &&Field| {
        let is_of_connection = OF_CONNECTIONS.iter().any(|name| field.is(name));
        let is_undone = is_decoded && field.is("content-encoding");
        !(field.name.starts_with(b":") || is_of_connection || is_undone)
    };
    let pair = |field: &Field| {
        let is_length = is_decoded && field.is("content-length");
        (text(&field.name), if is_length { length.to_string() } else { text(&field.value) })
    };
    half.head.iter().filter(is_sent).map(pair).collect()
}

/// What was answered.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: Fields,
    pub(super) trailers: Fields,
    /// In base64.
    pub(super) body: String,
    /// There was more.
    pub(super) is_cut: bool,
    /// From the first byte of the request to the last of the answer, in microseconds.
    pub(super) took_us: u64,
}

impl Answer {
    /// `recorded` with this answer in the place of its own.
    ///
    /// # Errors
    /// If the body is not what it says.
    pub(super) fn exchange(&self, recorded: &Exchange) -> anyhow::Result<Exchange> {
        let fields = |pairs: &Fields| -> Vec<Field> {
            pairs.iter().map(|(name, value)| Field::new(name.clone(), value.clone())).collect()
        };
        let bytes = STANDARD.decode(&self.body).context("the answer's body is broken")?;
        let mut exchange = recorded.clone();
        let outline = &mut exchange.outline;
        (outline.status, outline.response_size) = (Some(self.status), bytes.len() as u64);
        (outline.error, outline.answered, outline.received) = (None, None, None);
        outline.finished = outline.started.checked_add_unsigned(self.took_us);
        let mut head = fields(&self.fields);
        // As the recorded one has it, where it has it.
        let has_status = recorded.response.as_ref().is_some_and(|response| response.value(":status").is_some());
        head.splice(..0, has_status.then(|| Field::new(":status", self.status.to_string())));
        exchange.messages.retain(|message| message.direction == Direction::Request);
        exchange.messages.extend(messages(&recorded.request.head, self.status, &head, &bytes));
        let size = bytes.len() as u64;
        let body = (size > 0).then(|| Content { bytes, is_cut: self.is_cut, ..Content::default() });
        exchange.response = Some(Half { head, body, size, trailers: fields(&self.trailers) });
        Ok(exchange)
    }
}

/// The messages in a response's body, if it is made of such.
fn messages(request: &[Field], status: u16, head: &[Field], body: &[u8]) -> Vec<Message> {
    let direction = Direction::Response;
    let Some(kind) = Kind::of(direction, request, None, Some((status, head))) else { return Vec::new() };
    let mut reader = Reader::new(kind, direction, request, head);
    let mut read = Vec::new();
    reader.feed(body, &mut read);
    reader.end(&mut read);
    let message = |message: crate::engine::decode::stream::Message| Message {
        direction,
        at: 0,
        kind: message.kind,
        size: message.wire,
        is_cut: message.is_cut,
        note: message.note.map(str::to_owned),
        payload: message.payload,
    };
    read.into_iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::decode::stream::MessageKind;
    use crate::engine::record::samples;

    #[test]
    fn an_order_has_what_was_sent_and_nothing_of_the_connection() {
        let mut exchange = samples::exchange();
        exchange.request.head.push(Field::new("Connection", "close"));
        exchange.request.head.push(Field::new("content-length", "7"));
        let order = Order::of(&exchange, "PEM".into()).unwrap();
        let names: Vec<&str> = order.fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-type", "cookie", "content-length"]);
        assert_eq!(
            (order.address.to_string(), order.is_tls, order.body.as_deref()),
            ("192.0.2.1:443".into(), true, Some("eyJhIjoxfQ=="))
        );
        exchange.request.body.as_mut().unwrap().is_cut = true;
        assert!(Order::of(&exchange, "PEM".into()).is_err());
    }

    #[test]
    fn an_answer_is_read_as_the_recorded_one_was() {
        let exchange = samples::exchange();
        let answer = Answer {
            status: 200,
            fields: vec![("content-type".into(), "text/event-stream".into())],
            trailers: vec![],
            body: STANDARD.encode("data: a\n\ndata: b\n\n"),
            is_cut: false,
            took_us: 5,
        };
        let again = answer.exchange(&exchange).unwrap();
        let kinds: Vec<_> = again.messages.iter().map(|message| (message.kind, &message.payload[..])).collect();
        assert_eq!(kinds, [(MessageKind::Event, &b"data: a"[..]), (MessageKind::Event, b"data: b")]);
        assert_eq!((again.outline.status, again.outline.took_us()), (Some(200), Some(5)));
    }
}
