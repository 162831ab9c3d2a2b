//! A body with content codings: no more comes out than is wanted, and the same however the body comes.

#![no_main]

use agent::engine::decode::coding::{Coding, Unpacker};
use agent::engine::wire::Invalid;
use libfuzzer_sys::fuzz_target;

/// Most bytes that are wanted.
const LIMIT: usize = 100_000;

fuzz_target!(|bytes: &[u8]| {
    // Two codings, then the body.
    let Some((&choice, body)) = bytes.split_first() else { return };
    let all = [Coding::Identity, Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstandard];
    let codings = [choice, choice >> 4].map(|choice| all[usize::from(choice & 0x0f) % all.len()]);
    let (whole, result) = unpack(&codings, body, usize::MAX);
    let (pieces, again) = unpack(&codings, body, 3);
    assert!(whole.len() <= LIMIT && pieces.len() <= LIMIT);
    // Which of two errors comes first may depend on the pieces.
    assert_eq!(result.is_ok(), again.is_ok(), "{result:?}, {again:?} in pieces");
    if result.is_ok() {
        assert!(whole == pieces, "{} bytes, {} in pieces", whole.len(), pieces.len());
    }
    if codings == [Coding::Identity; 2] {
        assert!(body.starts_with(&whole));
    }
});

fn unpack(codings: &[Coding], body: &[u8], piece: usize) -> (Vec<u8>, Result<(), Invalid>) {
    let (mut unpacker, mut out) = (Unpacker::new(codings, LIMIT), Vec::new());
    let fed = body.chunks(piece).try_for_each(|piece| unpacker.feed(piece, &mut out));
    (out, fed.and(unpacker.finish()))
}
