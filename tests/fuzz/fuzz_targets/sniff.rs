//! The first bytes of a connection: what they are does not change as more of them come.

#![no_main]

use agent::engine::wire::sniff::{Sniff, sniff};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = sniff(bytes);
    for end in 0..bytes.len() {
        let early = sniff(&bytes[..end]);
        assert!(early == Sniff::More || early == whole, "{end} bytes were {early:?}, all are {whole:?}");
    }
});
