//! A stream that gives few bytes at a time. hyper reads the more at once the more there is, up to the largest head, and
//! holds sixteen such pieces for a receiver that does not take them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use crate::proxy::io::{BoxedIo, write_through};

/// Most bytes that are given at once: fewer than hyper begins with, so that it never takes more.
pub(super) const PIECE: usize = 8 * 1024 - 1;

/// `io`, read in pieces.
pub(super) struct Narrow(pub(super) BoxedIo);

impl AsyncRead for Narrow {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let piece = buf.remaining().min(PIECE);
        let mut piece = ReadBuf::new(buf.initialize_unfilled_to(piece));
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut piece))?;
        let length = piece.filled().len();
        buf.advance(length);
        Poll::Ready(Ok(()))
    }
}

write_through!([] Narrow, 0);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn what_is_there_comes_in_pieces_and_whole() {
        let (mut sender, receiver) = duplex(3 * PIECE);
        sender.write_all(&[7; 3 * PIECE]).await.unwrap();
        let mut narrow = Narrow(Box::new(receiver));
        let mut buffer = vec![0; 4 * PIECE];
        for _ in 0..3 {
            assert_eq!(narrow.read(&mut buffer).await.unwrap(), PIECE);
        }
        drop(sender);
        assert_eq!(narrow.read(&mut buffer).await.unwrap(), 0);
    }
}
