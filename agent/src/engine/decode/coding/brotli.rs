//! The coding `br` (RFC 7932), without the large windows that are no part of it.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::Step;
use crate::engine::wire::Invalid;

/// Reads a stream as it comes.
pub(super) struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    is_complete: bool,
}

impl Default for Brotli {
    fn default() -> Self {
        let new = StandardAlloc::default;
        Self { state: BrotliState::new_strict(new(), new(), new()), is_complete: false }
    }
}

impl Brotli {
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Invalid> {
        if self.is_complete {
            // What follows the stream is no part of it.
            return Ok(Step { read: input.len(), written: 0 });
        }
        let (mut read, mut written, mut total) = (0, 0, 0);
        let (mut input_left, mut output_left) = (input.len(), output.len());
        let state = &mut self.state;
        let result = BrotliDecompressStream(
            &mut input_left,
            &mut read,
            input,
            &mut output_left,
            &mut written,
            output,
            &mut total,
            state,
        );
        match result {
            BrotliResult::ResultSuccess => self.is_complete = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultFailure => return Err(Invalid("a brotli stream that is broken")),
        }
        Ok(Step { read, written })
    }

    /// Whether the stream could end here.
    pub(super) const fn is_complete(&self) -> bool {
        self.is_complete
    }
}
