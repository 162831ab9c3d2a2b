//! Reads the first bytes of a stream until it is known what it speaks, and gives them back to whoever reads next.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::{Instant, timeout_at};

use super::io::Rewind;
use crate::engine::wire::sniff::{LIMIT, Sniff, sniff};

/// Room for the usual first flight; more is made as needed.
const ROOM: usize = 2 * 1024;

/// What `io` speaks, and `io` as it was. Silence for longer than `patience`, an end or an error make it
/// [`Sniff::Other`]: the next reader meets them again.
pub(crate) async fn first_bytes<T: AsyncRead + Unpin>(mut io: T, patience: Duration) -> (Sniff, Rewind<T>) {
    let deadline = Instant::now() + patience;
    let mut first = BytesMut::with_capacity(ROOM);
    let mut answer = Sniff::More;
    while answer == Sniff::More && first.len() < 2 * LIMIT {
        match timeout_at(deadline, io.read_buf(&mut first)).await {
            Ok(Ok(read)) if read > 0 => answer = sniff(&first),
            _ => break,
        }
    }
    let known = if answer == Sniff::More { Sniff::Other } else { answer };
    let first = if first.is_empty() { Bytes::new() } else { first.freeze() };
    (known, Rewind::new(first, io))
}
