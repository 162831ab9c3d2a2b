//! The first bytes of two streams, read until it is known what is spoken, and kept for whoever reads next.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use super::io::Rewind;
use crate::engine::wire::sniff::{LIMIT, Sniff, sniff};

/// Room for the usual first flight; more is made as needed.
const ROOM: usize = 2 * 1024;

/// Who spoke first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// The child, and what it is.
    Child(Sniff),
    /// The server, or it ended the connection.
    Server,
}

/// What either side has said so far.
#[derive(Debug, Default)]
pub(crate) struct FirstBytes {
    child: BytesMut,
    server: BytesMut,
}

impl FirstBytes {
    /// Whether the child has said nothing.
    pub(crate) fn is_silent(&self) -> bool {
        self.child.is_empty()
    }

    /// Whether nobody has said anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.child.is_empty() && self.server.is_empty()
    }

    /// Reads from `child` until it is known what it speaks. It may be silent for as long as it likes; once it has begun,
    /// a pause of `patience`, an end or an error make it [`Sniff::Other`]: the next reader meets them again. May be
    /// cancelled and called again.
    pub(crate) async fn child(&mut self, child: &mut (impl AsyncRead + Unpin), patience: Duration) -> Sniff {
        loop {
            match sniff(&self.child) {
                Sniff::More if self.child.len() < 2 * LIMIT => {}
                Sniff::More => return Sniff::Other,
                known => return known,
            }
            let has_begun = !self.child.is_empty();
            self.child.reserve(ROOM);
            let reading = child.read_buf(&mut self.child);
            let read = if has_begun { timeout(patience, reading).await.unwrap_or(Ok(0)) } else { reading.await };
            if !matches!(read, Ok(1..)) {
                return Sniff::Other;
            }
        }
    }

    /// Reads from both until one has spoken. May be cancelled and called again.
    pub(crate) async fn either(
        &mut self,
        child: &mut (impl AsyncRead + Unpin),
        server: &mut (impl AsyncRead + Unpin),
        patience: Duration,
    ) -> First {
        let mut heard = std::mem::take(&mut self.server);
        let first = tokio::select! {
            biased;
            spoken = self.child(child, patience) => First::Child(spoken),
            _ = server.read_buf(&mut heard) => First::Server,
        };
        self.server = heard;
        first
    }

    /// The streams as they were.
    pub(crate) fn rewind<C, S>(self, child: C, server: S) -> (Rewind<C>, Rewind<S>) {
        (Rewind::new(freeze(self.child), child), Rewind::new(freeze(self.server), server))
    }
}

/// An empty buffer would keep its memory.
fn freeze(bytes: BytesMut) -> Bytes {
    if bytes.is_empty() { Bytes::new() } else { bytes.freeze() }
}
