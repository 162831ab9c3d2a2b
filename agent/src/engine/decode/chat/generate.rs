//! Google's `generateContent`, whole and streamed: each piece is a document of the same form.

use serde_json::Value;

use super::{Chat, Part};

/// Takes an answer or a piece of one; whether `value` is one.
pub(super) fn take(chat: &mut Chat, value: &Value) -> bool {
    let Some(candidates) = value["candidates"].as_array() else { return false };
    chat.name_model(&value["modelVersion"]);
    chat.take_usage(&value["usageMetadata"]);
    for candidate in candidates {
        let index = candidate["index"].as_u64().unwrap_or_default();
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            let kind = if part["thought"] == true { Part::Reasoning } else { Part::Text };
            chat.append(index, kind, part["text"].as_str());
            if part["functionCall"].is_object() {
                call(chat, index, &part["functionCall"]);
            }
        }
        chat.stop(index, candidate["finishReason"].as_str());
    }
    true
}

/// A call, which comes as a whole.
fn call(chat: &mut Chat, choice: u64, call: &Value) {
    let place = chat.choice(choice).map_or(0, |choice| choice.calls.len() as u64);
    chat.begin_call(choice, place, call["id"].as_str(), call["name"].as_str());
    chat.append(choice, Part::Arguments(place), Some(&call["args"].to_string()));
}
