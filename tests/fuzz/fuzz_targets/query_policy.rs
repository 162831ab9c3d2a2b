//! A session's DNS queries, one after the other: what goes to a resolver asks what was asked, and in `enforce` mode has
//! nothing else of the query.

#![no_main]

use std::time::{Duration, Instant};

use agent::engine::policy::{Mode, Policy};
use agent::engine::wire::dns::{Message, UDP_SIZE};
use libfuzzer_sys::fuzz_target;

/// The number of what goes to the resolver.
const ID: u16 = 0x1234;

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, mut rest)) = bytes.split_first() else { return };
    let mode = if first & 1 == 0 { Mode::Observe } else { Mode::Enforce };
    let mut now = Instant::now();
    let mut queries = Policy::new(mode).queries(now);
    // Each query behind its length, the time that passes before it, and how many times it comes.
    while let [length, pause, times, messages @ ..] = rest {
        let (query, messages) = messages.split_at(usize::from(*length).min(messages.len()));
        rest = messages;
        now += Duration::from_millis(u64::from(*pause) * u64::from(*pause));
        let Ok(query) = Message::parse(query) else { continue };
        for _ in 0..=*times {
            let Ok(permit) = queries.permit(&query, now) else { break };
            let forwarded = permit.forwarded(ID);
            check(mode, &query, &Message::parse(&forwarded).expect("a message"));
        }
    }
});

fn check(mode: Mode, query: &Message<'_>, forwarded: &Message<'_>) {
    assert_eq!(forwarded.id(), ID);
    assert!(forwarded.udp_size().is_none_or(|size| size <= UDP_SIZE));
    assert_eq!(forwarded.udp_size().is_some(), query.udp_size().is_some());
    let asked = |message: &Message<'_>| {
        message.question().map(|question| (question.labels.clone(), question.record_type, question.class))
    };
    assert_eq!(asked(forwarded), asked(query));
    if mode == Mode::Enforce {
        assert_eq!(forwarded.records().len(), usize::from(query.udp_size().is_some()));
        assert!(!forwarded.is_response() && !forwarded.is_truncated());
    }
}
