//! The coding `zstd` (RFC 8878): frames in a row, with the window that content codings may have (RFC 9659).

use zstd::stream::raw::{DParameter, Decoder, Operation as _};

use super::Step;
use crate::engine::wire::Invalid;

/// The largest window, as a power of two: 8 MiB (RFC 9659 section 3).
const WINDOW_LOG: u32 = 23;

/// Reads frames as they come.
pub(super) struct Zstandard {
    /// None if there was no memory for it.
    decoder: Option<Decoder<'static>>,
    /// A frame has ended, and no other has begun.
    is_complete: bool,
}

impl Default for Zstandard {
    fn default() -> Self {
        let decoder = Decoder::new().and_then(|mut decoder| {
            decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
            Ok(decoder)
        });
        Self { decoder: decoder.ok(), is_complete: false }
    }
}

impl Zstandard {
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Invalid> {
        let decoder = self.decoder.as_mut().ok_or(Invalid("no memory for a zstd decoder"))?;
        let status = decoder.run_on_buffers(input, output);
        let status = status.map_err(|_invalid| Invalid("a zstd frame that is broken, or has too large a window"))?;
        if status.bytes_read > 0 || status.bytes_written > 0 {
            self.is_complete = status.remaining == 0;
        }
        Ok(Step { read: status.bytes_read, written: status.bytes_written })
    }

    /// Whether the frames could end here.
    pub(super) const fn is_complete(&self) -> bool {
        self.is_complete
    }
}
