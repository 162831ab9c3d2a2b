//! Base64 (RFC 4648 section 4) as it comes: padding may end a piece, and another piece may follow.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::engine::wire::Invalid;

/// Decodes groups of four characters.
#[derive(Default)]
pub(super) struct Base64 {
    /// Fewer than four characters, whose group is not complete.
    pending: Vec<u8>,
}

impl Base64 {
    /// Appends to `out` what `input` and what was pending decode to; what comes before an error as well.
    pub(super) fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Invalid> {
        let text = input.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
        let mut text: Vec<u8> = self.pending.drain(..).chain(text).collect();
        self.pending = text.split_off(text.len() - text.len() % 4);
        for group in text.chunks(4) {
            // One by one: padding may end any of them.
            let mut bytes = [0; 3];
            let decoded = STANDARD.decode_slice(group, &mut bytes);
            let length = decoded.map_err(|_invalid| Invalid("gRPC-Web text that is no base64"))?;
            out.extend_from_slice(&bytes[..length]);
        }
        Ok(())
    }
}
