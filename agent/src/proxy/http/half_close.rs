//! A child that has sent all it wants to may close its sending side and still read; over plain TCP some clients do.
//! hyper takes such an end for an abort, so it does not see one while an exchange is open. A reset it sees at once.
//! A child that is gone altogether looks the same as one that still reads until something is written to it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many exchanges of a connection are open.
#[derive(Debug, Default)]
pub(crate) struct Open {
    count: AtomicUsize,
    reader: AtomicWaker,
}

impl Open {
    /// One more is open until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> Entered {
        self.count.fetch_add(1, Ordering::AcqRel);
        Entered(Arc::clone(self))
    }

    /// Whether no exchange is open.
    pub(super) fn is_idle(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// The same; if not, the task is woken when it may be.
    fn is_idle_or_wakes(&self, cx: &Context<'_>) -> bool {
        self.reader.register(cx.waker());
        self.is_idle()
    }
}

/// Keeps an exchange counted.
pub(crate) struct Entered(Arc<Open>);

impl Drop for Entered {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.reader.wake();
        }
    }
}

/// A stream whose end is not seen while an exchange is open.
pub(super) struct HalfClose<T> {
    inner: T,
    open: Arc<Open>,
    ended: bool,
    unflushed: bool,
}

impl<T> HalfClose<T> {
    /// `inner`, whose end waits until no exchange is `open` and the last response is written.
    pub(super) const fn new(inner: T, open: Arc<Open>) -> Self {
        Self { inner, open, ended: false, unflushed: false }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for HalfClose<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ended {
            let before = buf.remaining();
            ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
            self.ended = before > 0 && buf.remaining() == before;
        }
        if self.ended && (!self.open.is_idle_or_wakes(cx) || self.unflushed) {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for HalfClose<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.unflushed = true;
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unflushed = true;
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        if std::mem::take(&mut self.unflushed) && self.ended {
            self.open.reader.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
