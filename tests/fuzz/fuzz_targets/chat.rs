//! Answers of language models: what streams is put together, whatever its text, and whatever else comes is counted.

#![no_main]

use agent::engine::decode::chat::{MAX_CHAT, of_events, of_json};
use agent::engine::decode::stream::sse::Event;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|bytes: &[u8]| {
    if let Some(chat) = of_json(bytes) {
        assert!(chat.choices.iter().map(|choice| choice.text.len()).sum::<usize>() <= bytes.len().min(MAX_CHAT));
        assert!(chat.to_string().len() <= 16 * bytes.len() + 300_000);
    }
    let text = String::from_utf8_lossy(bytes);
    let pieces: Vec<&str> = text.split('|').collect();
    for event in [
        |piece: &str| json!({"choices": [{"index": 0, "delta": {"content": piece}}]}),
        |piece: &str| json!({"type": "response.output_text.delta", "delta": piece}),
        |piece: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}),
        |piece: &str| json!({"candidates": [{"content": {"parts": [{"text": piece}]}}]}),
    ] {
        // What is unknown in between changes nothing.
        let documents = pieces.iter().flat_map(|piece| [event(piece), json!({"unknown": bytes.len()})]);
        let sent = |document: Value| Event { data: document.to_string(), ..Event::default() };
        let events: Vec<Event> = documents.map(sent).collect();
        let chat = of_events(&events).expect("an answer");
        let said = chat.choices.first().map_or("", |choice| choice.text.as_str());
        assert_eq!((said, chat.unknown), (pieces.concat().as_str(), pieces.len() as u64));
    }
});
