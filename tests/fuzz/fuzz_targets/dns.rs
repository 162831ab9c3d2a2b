//! A DNS query and what a resolver answers to it: what is given back is a message, fits, and lacks what it must lack.

#![no_main]

use agent::engine::wire::dns::{HEADER, Message, Rcode, UDP_SIZE, UDP_SIZE_WITHOUT_EDNS, fit, refusal};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The length of the query precedes it; the response is the rest.
    let Some((&length, messages)) = bytes.split_first() else { return };
    let (query, response) = messages.split_at(usize::from(length).min(messages.len()));
    refuse(query);
    cut(response);
    let (Ok(query), Ok(response)) = (Message::parse(query), Message::parse(response)) else { return };
    let _ = (response.answers(&query), response.addresses(), response.rcode().name());
    let Ok(returned) = response.returned(&query) else { return };
    let again = Message::parse(&returned).expect("a message");
    assert_eq!(again.id(), query.id());
    assert_eq!(again.records().len(), response.records().len());
    assert!(again.udp_size().is_none_or(|size| size <= UDP_SIZE));
    assert_eq!(again.returned(&query).as_deref(), Ok(&returned[..]), "something was left to be taken out");
});

/// A refusal has a header at least, and is a response.
fn refuse(query: &[u8]) {
    let Some(refused) = refusal(query, Rcode::REFUSED, Some("budget")) else { return };
    let message = Message::parse(&refused).expect("a message");
    assert!(message.is_response() && message.rcode() == Rcode::REFUSED);
    if let Ok(query) = Message::parse(query) {
        assert!(message.answers(&query) && message.question() == query.question());
        assert_eq!(message.udp_size().is_some(), query.udp_size().is_some());
    }
}

/// What is cut to fit does, for whoever said whatever of their size.
fn cut(response: &[u8]) {
    let Ok(whole) = Message::parse(response) else { return };
    for size in [None, Some(0), Some(700), Some(u16::MAX)] {
        let fitting = fit(response.to_vec(), size);
        let limit = size.unwrap_or_default().clamp(UDP_SIZE_WITHOUT_EDNS, UDP_SIZE);
        assert!(fitting.len() <= usize::from(limit), "{} bytes for {size:?}", fitting.len());
        let message = Message::parse(&fitting).expect("a message");
        assert!(fitting.len() >= HEADER && message.question() == whole.question());
        assert_eq!(message.udp_size(), whole.udp_size());
    }
}
