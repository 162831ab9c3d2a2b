//! Reads what an HTTP/2 passage gave out as its receiver would.

use agent::engine::wire::h2::{END_HEADERS, Frame, HEAD, Kind, PRIORITY, unpadded};
use agent::engine::wire::hpack;
use agent::engine::wire::http1::MAX_HEAD;

/// Decodes every header block in `bytes`, frames of one direction, the last of which may be cut.
///
/// # Panics
/// If one is broken, or refers to what its receiver does not have.
pub fn decode(mut bytes: &[u8]) {
    let mut decoder = hpack::Decoder::new(MAX_HEAD);
    decoder.allow(1 << 20);
    let mut block = Vec::new();
    while let Some(frame) = Frame::read(bytes) {
        let Some((payload, rest)) = bytes[HEAD..].split_at_checked(frame.length) else { return };
        bytes = rest;
        let prefix = match frame.kind {
            Kind::PushPromise => 4,
            Kind::Headers if frame.has(PRIORITY) => 5,
            Kind::Headers | Kind::Continuation => 0,
            _ => {
                assert!(block.is_empty(), "a header block that is interrupted");
                continue;
            }
        };
        let payload = if frame.kind == Kind::Continuation { Ok(payload) } else { unpadded(&frame, payload) };
        block.extend_from_slice(&payload.expect("padding that fits")[prefix..]);
        if frame.has(END_HEADERS) {
            decoder.decode(&block).expect("a block that its receiver can decode");
            block.clear();
        }
    }
}
