//! Header blocks: what decodes is encoded anew and decodes to the same, and no block decodes to more than it may.

#![no_main]

use agent::engine::wire::hpack::{Decoder, encode};
use libfuzzer_sys::fuzz_target;

/// How large a decoded block may be.
const LARGEST: usize = 4096;

fuzz_target!(|bytes: &[u8]| {
    let (mut decoder, mut rest) = (Decoder::new(LARGEST), bytes);
    // A row of blocks, each behind its length: what one puts into the table the next may use.
    while let Some((&length, blocks)) = rest.split_first() {
        let (block, blocks) = blocks.split_at(usize::from(length).min(blocks.len()));
        rest = blocks;
        let Ok(fields) = decoder.decode(block) else { return };
        let size: usize = fields.iter().map(|field| field.name.len() + field.value.len() + 32).sum();
        assert!(size <= LARGEST, "{size} bytes");
        let mut encoded = Vec::new();
        encode(&fields, &mut encoded);
        assert_eq!(Decoder::new(LARGEST).decode(&encoded), Ok(fields));
    }
});
