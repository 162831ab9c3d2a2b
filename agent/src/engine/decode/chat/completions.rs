//! OpenAI's chat completions, their chunks, and the older completions; most others speak this.

use serde_json::Value;

use super::{Chat, Part};

/// Takes a completion or a chunk of one; whether `value` is one.
pub(super) fn take(chat: &mut Chat, value: &Value) -> bool {
    let Some(choices) = value["choices"].as_array() else { return false };
    chat.name_model(&value["model"]);
    chat.take_usage(&value["usage"]);
    for choice in choices {
        let index = choice["index"].as_u64().unwrap_or_default();
        let said = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
        chat.append(index, Part::Text, said["content"].as_str().or(choice["text"].as_str()));
        // DeepSeek and vLLM call it the one, OpenRouter and Groq the other.
        chat.append(index, Part::Reasoning, said["reasoning_content"].as_str().or(said["reasoning"].as_str()));
        chat.append(index, Part::Refusal, said["refusal"].as_str());
        for (place, call) in said["tool_calls"].as_array().into_iter().flatten().enumerate() {
            // Whole answers have them in order and without a number.
            let place = call["index"].as_u64().unwrap_or(place as u64);
            function(chat, index, place, call["id"].as_str(), &call["function"]);
        }
        if said["function_call"].is_object() {
            function(chat, index, 0, None, &said["function_call"]);
        }
        chat.stop(index, choice["finish_reason"].as_str());
    }
    true
}

fn function(chat: &mut Chat, choice: u64, place: u64, id: Option<&str>, function: &Value) {
    chat.begin_call(choice, place, id, function["name"].as_str());
    chat.append(choice, Part::Arguments(place), function["arguments"].as_str());
}
