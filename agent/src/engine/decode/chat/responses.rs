//! OpenAI's Responses API: events whose type begins with `response.`, and whole responses.

use serde_json::Value;

use super::{Chat, Part};

/// Takes a response or an event of one; whether `value` is one.
pub(super) fn take(chat: &mut Chat, value: &Value) -> bool {
    if value["object"] == "response" {
        response(chat, value);
        value["output"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .for_each(|(at, item)| whole(chat, at as u64, item));
        return true;
    }
    let Some(kind) = value["type"].as_str().and_then(|kind| kind.strip_prefix("response.")) else { return false };
    let delta = value["delta"].as_str();
    let place = value["output_index"].as_u64().unwrap_or_default();
    match kind {
        "output_text.delta" => chat.append(0, Part::Text, delta),
        "refusal.delta" => chat.append(0, Part::Refusal, delta),
        "reasoning_text.delta" | "reasoning_summary_text.delta" => chat.append(0, Part::Reasoning, delta),
        "function_call_arguments.delta" | "custom_tool_call_input.delta" | "mcp_call_arguments.delta" => {
            chat.append(0, Part::Arguments(place), delta);
        }
        "output_item.added" => begin(chat, place, &value["item"]),
        "created" | "in_progress" | "queued" | "completed" | "incomplete" | "failed" => {
            response(chat, &value["response"]);
        }
        // They repeat what the deltas said, or tell of tools that the server calls itself.
        _ if kind.ends_with(".done") || kind.ends_with(".added") || kind.contains("_call.") => {}
        _ => chat.unknown += 1,
    }
    true
}

/// What is said of the response as a whole.
fn response(chat: &mut Chat, response: &Value) {
    chat.name_model(&response["model"]);
    chat.take_usage(&response["usage"]);
    chat.take_error(response);
    let why = response["incomplete_details"]["reason"].as_str();
    let ended = response["status"].as_str().filter(|status| !matches!(*status, "in_progress" | "queued"));
    chat.stop(0, why.or(ended));
}

/// A part of the output begins, which may be a call.
fn begin(chat: &mut Chat, place: u64, item: &Value) {
    if item["name"].is_string() {
        chat.begin_call(0, place, item["call_id"].as_str().or(item["id"].as_str()), item["name"].as_str());
    }
}

/// A part of the output that is complete.
fn whole(chat: &mut Chat, place: u64, item: &Value) {
    begin(chat, place, item);
    if item["name"].is_string() {
        chat.append(0, Part::Arguments(place), item["arguments"].as_str().or(item["input"].as_str()));
    }
    let parts = |name: &str| item[name].as_array().into_iter().flatten();
    for part in parts("content") {
        let kind = if item["type"] == "reasoning" { Part::Reasoning } else { Part::Text };
        chat.append(0, kind, part["text"].as_str());
        chat.append(0, Part::Refusal, part["refusal"].as_str());
    }
    parts("summary").for_each(|part| chat.append(0, Part::Reasoning, part["text"].as_str()));
}
