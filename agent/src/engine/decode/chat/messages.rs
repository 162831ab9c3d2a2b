//! Anthropic's Messages API: events, and whole messages.

use serde_json::Value;

use super::{Chat, Part};

/// Takes a message or an event of one; whether `value` is one.
pub(super) fn take(chat: &mut Chat, value: &Value) -> bool {
    let place = value["index"].as_u64().unwrap_or_default();
    match value["type"].as_str().unwrap_or_default() {
        "message" if value["content"].is_array() => {
            message(chat, value);
            value["content"]
                .as_array()
                .into_iter()
                .flatten()
                .enumerate()
                .for_each(|(at, block)| whole(chat, at as u64, block));
        }
        "message_start" => message(chat, &value["message"]),
        "content_block_start" => begin(chat, place, &value["content_block"]),
        "content_block_delta" => delta(chat, place, &value["delta"]),
        "message_delta" => {
            chat.take_usage(&value["usage"]);
            chat.stop(0, value["delta"]["stop_reason"].as_str());
        }
        "content_block_stop" | "message_stop" | "ping" => {}
        _ => return false,
    }
    true
}

/// What is said of the message as a whole.
fn message(chat: &mut Chat, message: &Value) {
    chat.name_model(&message["model"]);
    chat.take_usage(&message["usage"]);
    chat.stop(0, message["stop_reason"].as_str());
}

/// A block begins: the name of a call, or the first of its text.
fn begin(chat: &mut Chat, place: u64, block: &Value) {
    if block["name"].is_string() {
        chat.begin_call(0, place, block["id"].as_str(), block["name"].as_str());
    }
    chat.append(0, Part::Text, block["text"].as_str());
    chat.append(0, Part::Reasoning, block["thinking"].as_str());
}

fn delta(chat: &mut Chat, place: u64, delta: &Value) {
    match delta["type"].as_str().unwrap_or_default() {
        "text_delta" => chat.append(0, Part::Text, delta["text"].as_str()),
        "thinking_delta" => chat.append(0, Part::Reasoning, delta["thinking"].as_str()),
        "input_json_delta" => chat.append(0, Part::Arguments(place), delta["partial_json"].as_str()),
        "signature_delta" | "citations_delta" => {}
        _ => chat.unknown += 1,
    }
}

/// A block that is complete.
fn whole(chat: &mut Chat, place: u64, block: &Value) {
    begin(chat, place, block);
    if block["name"].is_string() && block["input"].is_object() {
        chat.append(0, Part::Arguments(place), Some(&block["input"].to_string()));
    }
}
