//! Heads, bodies and rows of HTTP/1 messages: what is read does not depend on how it comes.

#![no_main]

use agent::engine::wire::http1::{
    Body, Error, Requests, Scanner, Step, request, request_body, response, response_body,
};
use bytes::BytesMut;
use http::Method;
use libfuzzer_sys::fuzz_target;

/// How many bytes come at once, at most.
const PIECE: usize = 3;

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(row(bytes, usize::MAX), row(bytes, PIECE), "a row of requests");
    let Ok(Some(end)) = Scanner::default().end_of_head(bytes) else { return };
    let (head, rest) = bytes.split_at(end);
    if let Ok(body) = request(head).and_then(|head| Ok(request_body(&head)?)) {
        assert_eq!(content(body.clone(), rest, usize::MAX), content(body, rest, PIECE), "the body of a request");
    }
    for method in [Method::GET, Method::HEAD, Method::CONNECT] {
        if let Ok(body) = response(head).and_then(|head| Ok(response_body(&head, &method)?)) {
            assert_eq!(content(body.clone(), rest, usize::MAX), content(body, rest, PIECE), "the body of a response");
        }
    }
});

/// What of a row of requests is let pass, and why the rest is not.
fn row(bytes: &[u8], piece: usize) -> (BytesMut, Option<Error>) {
    let (mut requests, mut input, mut checked) = (Requests::default(), BytesMut::new(), BytesMut::new());
    for piece in bytes.chunks(piece) {
        input.extend_from_slice(piece);
        if let Err(error) = requests.check(&mut input, &mut checked) {
            return (checked, Some(error));
        }
    }
    assert!(bytes.starts_with(&checked) && checked.len() + input.len() == bytes.len());
    (checked, None)
}

/// The content of a body, how many bytes of `bytes` it has in all, and how it ends.
fn content(mut body: Body, bytes: &[u8], piece: usize) -> (Vec<u8>, usize, Option<Result<Step, Error>>) {
    let (mut content, mut start, mut end) = (Vec::new(), 0, 0);
    loop {
        let input = &bytes[start..end];
        let step = body.step(input);
        match step {
            Ok(Step::More) if end == bytes.len() => return (content, start, None),
            Ok(Step::More) => end = end.saturating_add(piece).min(bytes.len()),
            Ok(Step::Content(length)) => {
                content.extend_from_slice(&input[..length]);
                start += length;
            }
            Ok(Step::Framing(length)) => start += length,
            Ok(Step::Trailers(length, _)) => return (content, start + length, Some(step)),
            Ok(Step::End) | Err(_) => return (content, start, Some(step)),
        }
    }
}
