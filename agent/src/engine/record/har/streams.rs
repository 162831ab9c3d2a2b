//! Messages of WebSockets and events, in the fields that Chrome's DevTools give them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::engine::decode::stream::MessageKind;
use crate::engine::decode::stream::sse::Event;
use crate::engine::http::exchange::Direction;
use crate::engine::record::rows::{Exchange, Message};

/// What an entry says of its messages, if it has such.
pub(super) fn messages(exchange: &Exchange) -> Map<String, Value> {
    let messages = &exchange.messages;
    let (kind, name, all): (_, _, Value) = match exchange.outline.stream.as_deref() {
        Some("websocket") => ("websocket", "_webSocketMessages", messages.iter().filter_map(websocket).collect()),
        Some("sse") => ("eventsource", "_eventSourceMessages", messages.iter().filter_map(event).collect()),
        _ => return Map::new(),
    };
    [("_resourceType".to_owned(), kind.into()), (name.to_owned(), all)].into_iter().collect()
}

fn websocket(message: &Message) -> Option<Value> {
    let opcode = message.kind.opcode()?;
    let kind = match message.direction {
        Direction::Request => "send",
        Direction::Response => "receive",
    };
    let text = std::str::from_utf8(&message.payload).ok().filter(|_| opcode == 1);
    let data = text.map_or_else(|| STANDARD.encode(&message.payload), str::to_owned);
    Some(json!({ "type": kind, "time": seconds(message.at), "opcode": opcode, "data": data }))
}

fn event(message: &Message) -> Option<Value> {
    if message.kind != MessageKind::Event {
        return None;
    }
    let Event { event, data, id, .. } = Event::parse(&message.payload);
    // A block without data is no event to who reads it.
    (!data.is_empty()).then(|| {
        let name = if event.is_empty() { "message" } else { &event };
        json!({ "time": seconds(message.at), "eventName": name, "eventId": id.unwrap_or_default(), "data": data })
    })
}

#[expect(clippy::cast_precision_loss, reason = "times of this century are exact to the microsecond")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1_000_000.0
}
