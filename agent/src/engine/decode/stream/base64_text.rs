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
    /// What `input` and what was pending decode to.
    pub(super) fn feed(&mut self, input: &[u8]) -> Result<Vec<u8>, Invalid> {
        let text = input.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
        let mut text: Vec<u8> = self.pending.drain(..).chain(text).collect();
        self.pending = text.split_off(text.len() - text.len() % 4);
        let mut decoded = Vec::with_capacity(text.len() / 4 * 3);
        let mut text = text.as_slice();
        while !text.is_empty() {
            // A group with padding ends what the library takes for one text.
            let padded = text.iter().position(|&byte| byte == b'=').map_or(text.len(), |at| at / 4 * 4 + 4);
            let (one, rest) = text.split_at(padded);
            STANDARD.decode_vec(one, &mut decoded).map_err(|_invalid| Invalid("gRPC-Web text that is no base64"))?;
            text = rest;
        }
        Ok(decoded)
    }
}
