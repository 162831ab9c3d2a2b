//! A stream of events: they are the same however they come and however their lines end, and none has an empty line.

#![no_main]

use agent::engine::decode::stream::sse::Event;
use agent::engine::decode::stream::{Kind, Message};
use agent::engine::http::exchange::Direction;
use fuzz::streams::{read, wire};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let messages = read(Kind::Sse, Direction::Response, &[], bytes);
    assert!(wire(&messages).is_some_and(|wire| wire <= bytes.len() as u64));
    for Message { payload, .. } in &messages {
        let has = |two: &[u8]| payload.windows(two.len()).any(|window| window == two);
        assert!(!payload.is_empty() && !has(b"\n\n") && !has(b"\r\r") && !has(b"\n\r") && !payload.starts_with(b"\n"));
    }
    let events = |messages: &[Message]| -> Vec<Event> {
        messages.iter().map(|message| Event::parse(&message.payload)).collect()
    };
    // The same stream with line feeds alone.
    let text: Vec<u8> = bytes
        .iter()
        .enumerate()
        .filter(|&(at, &byte)| byte != b'\n' || at == 0 || bytes[at - 1] != b'\r')
        .map(|(_, &byte)| if byte == b'\r' { b'\n' } else { byte })
        .collect();
    assert_eq!(events(&read(Kind::Sse, Direction::Response, &[], &text)), events(&messages));
});
