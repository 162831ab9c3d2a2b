//! Deflated data (RFC 1951), as three formats have it.

use flate2::{Decompress, FlushDecompress, Status};

use super::Step;
use crate::engine::wire::Invalid;

/// Inflates some of `input`; whether the data ended.
///
/// # Errors
/// If no data is like this.
pub(in crate::engine::decode) fn inflate(
    state: &mut Decompress,
    input: &[u8],
    output: &mut [u8],
) -> Result<(Step, bool), Invalid> {
    let (taken, given) = (state.total_in(), state.total_out());
    let status = state.decompress(input, output, FlushDecompress::None);
    let status = status.map_err(|_invalid| Invalid("deflated data that is broken"))?;
    let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or_default();
    let step = Step { read: count(state.total_in(), taken), written: count(state.total_out(), given) };
    Ok((step, status == Status::StreamEnd))
}
