//! A ClientHello, in one piece and byte by byte: what it offers, and where it ends, is the same.

#![no_main]

use agent::proxy::offer::{Offer, Reader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (whole, in_bytes) = (read(bytes, usize::MAX), read(bytes, 1));
    assert_eq!(whole, in_bytes);
});

/// What is offered and how many bytes say it, if it is a ClientHello to its end; otherwise the alert, if it is none.
fn read(bytes: &[u8], piece: usize) -> Result<Option<(Offer, usize)>, Vec<u8>> {
    let (mut reader, mut taken) = (Reader::default(), 0);
    for piece in bytes.chunks(piece) {
        let mut rest = piece;
        let accepted = reader.feed(&mut rest).map_err(|refused| refused.alert)?;
        taken += piece.len() - rest.len();
        if let Some(accepted) = accepted {
            return Ok(Some((Offer::of(&accepted), taken)));
        }
    }
    Ok(None)
}
