//! A ClientHello, in one piece and byte by byte: what it offers is the same.

#![no_main]

use agent::proxy::offer::{Offer, Reader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(read(bytes, usize::MAX), read(bytes, 1));
});

/// What is offered, once the ClientHello is complete; the alert, if it is none.
fn read(bytes: &[u8], piece: usize) -> Result<Option<Offer>, Vec<u8>> {
    let mut reader = Reader::default();
    for mut piece in bytes.chunks(piece) {
        if let Some(accepted) = reader.feed(&mut piece).map_err(|refused| refused.alert)? {
            return Ok(Some(Offer::of(&accepted)));
        }
    }
    Ok(None)
}
