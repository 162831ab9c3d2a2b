//! The coding `deflate`: the zlib format (RFC 1950), or bare deflated data (RFC 1951), which some send instead.

use flate2::Decompress;

use super::{Step, inflate};
use crate::engine::wire::Invalid;

/// Reads either format as it comes.
#[derive(Default)]
pub(super) enum Deflate {
    /// Nothing has come.
    #[default]
    Start,
    /// One byte has, which tells no format from the other.
    First(u8),
    /// Data, in the format that the first two bytes had. The first of them is still to be read.
    Data { state: Box<Decompress>, first: Option<u8> },
    /// The data has ended; what follows is no part of it.
    Beyond,
}

impl Deflate {
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Invalid> {
        match self {
            Self::Start => {
                let Some(&first) = input.first() else { return Ok(Step::default()) };
                *self = Self::First(first);
                Ok(Step { read: 1, written: 0 })
            }
            Self::First(first) => {
                let Some(&second) = input.first() else { return Ok(Step::default()) };
                let state = Box::new(Decompress::new(is_zlib(*first, second)));
                *self = Self::Data { state, first: Some(*first) };
                self.step(input, output)
            }
            Self::Data { state, first } => {
                if let Some(first) = first.take() {
                    inflate(state, &[first], output)?;
                }
                let (step, is_end) = inflate(state, input, output)?;
                if is_end {
                    *self = Self::Beyond;
                }
                Ok(step)
            }
            Self::Beyond => Ok(Step { read: input.len(), written: 0 }),
        }
    }

    /// Whether the data could end here.
    pub(super) const fn is_complete(&self) -> bool {
        matches!(self, Self::Beyond)
    }
}

/// Whether these two bytes begin the zlib format (RFC 1950 section 2.2), without a dictionary that nobody has.
const fn is_zlib(first: u8, second: u8) -> bool {
    let number = (first as u16) << 8 | second as u16;
    first & 0x0f == 8 && first >> 4 <= 7 && number.is_multiple_of(31) && second & 0x20 == 0
}
