//! What the child sends, as hyper may read it.
//!
//! hyper reads some requests that others read differently: those it never sees. It takes the end of what the child sends
//! for an abort, though a child that has sent all it wants to may close its sending side and still read: such an end it
//! does not see while an exchange is open. A reset it sees at once.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::narrow::PIECE;
use crate::engine::event::Event;
use crate::engine::wire::http1::{Error, Requests};
use crate::proxy::connection::Connection;
use crate::proxy::io::BoxedIo;

/// How many exchanges of a connection are open, and whether the last of them was a switch to something else.
#[derive(Debug, Default)]
pub(crate) struct Open {
    count: AtomicUsize,
    switched: AtomicU8,
    /// The latest of them has its response's head.
    is_answered: AtomicBool,
    reader: AtomicWaker,
}

const UNDECIDED: u8 = 0;
const DECLINED: u8 = 1;
const SWITCHED: u8 = 2;

impl Open {
    /// One more is open until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> Entered {
        self.count.fetch_add(1, Ordering::AcqRel);
        self.is_answered.store(false, Ordering::Release);
        Entered(Arc::clone(self))
    }

    /// Whether no exchange is open.
    pub(crate) fn is_idle(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Notes that the latest exchange has its response's head.
    pub(super) fn answer(&self) {
        self.is_answered.store(true, Ordering::Release);
    }

    /// Says whether the request that asked for a switch got it.
    pub(super) fn decide(&self, switched: bool) {
        self.switched.store(if switched { SWITCHED } else { DECLINED }, Ordering::Release);
        self.reader.wake();
    }

    fn decided(&self) -> Option<bool> {
        match self.switched.swap(UNDECIDED, Ordering::AcqRel) {
            UNDECIDED => None,
            decided => Some(decided == SWITCHED),
        }
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

/// The child's side of a connection.
pub(super) struct Child {
    io: BoxedIo,
    open: Arc<Open>,
    connection: Weak<Connection>,
    requests: Requests,
    input: BytesMut,
    checked: BytesMut,
    end: End,
    /// Over TLS the end of the child's side stays an abort: most clients' close_notify ends both directions.
    aborts: bool,
    is_unflushed: bool,
}

enum End {
    /// There may be more.
    Open,
    /// The child has sent all.
    Ended,
    /// What follows is not read, and this is still to be written.
    Refused {
        answer: BytesMut,
        /// What is refused is part of a body: the exchange that is open cannot end well.
        breaks: bool,
    },
}

impl Child {
    /// The child's side of `connection`; its end ends everything at once if it `aborts`.
    pub(super) fn new(io: BoxedIo, connection: &Arc<Connection>, aborts: bool) -> Self {
        Self {
            io,
            open: Arc::clone(&connection.exchanges),
            connection: Arc::downgrade(connection),
            requests: Requests::default(),
            input: BytesMut::new(),
            checked: BytesMut::new(),
            end: End::Open,
            aborts,
            is_unflushed: false,
        }
    }

    /// Reads until something may be read, or nothing more.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.checked.is_empty() && matches!(self.end, End::Open) {
            if let Some(switched) = self.open.decided() {
                self.requests.decide(switched);
            }
            if let Err(error) = self.requests.check(&mut self.input, &mut self.checked) {
                self.refuse(&error);
            }
            if self.checked.is_empty() && matches!(self.end, End::Open) {
                let read = std::pin::pin!(self.io.read_buf(&mut self.input)).poll(cx);
                if ready!(read)? == 0 {
                    self.end = End::Ended;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn refuse(&mut self, error: &Error) {
        let status = match error {
            Error::TooLarge => "431 Request Header Fields Too Large",
            Error::Invalid(_) => "400 Bad Request",
        };
        let body = format!("agent: {error}\n");
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n");
        let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        self.end = End::Refused { answer: answer.as_bytes().into(), breaks: self.requests.is_in_body() };
        if let Some(connection) = self.connection.upgrade() {
            let reason = error.to_string();
            connection.emit(Event::MessageRefused { connection: connection.id, side: "downstream", reason });
        }
    }

    /// Waits until the end may be seen.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.aborts && matches!(self.end, End::Ended) {
            return Poll::Ready(Ok(()));
        }
        self.open.reader.register(cx.waker());
        let is_broken = matches!(self.end, End::Refused { breaks: true, .. }) && !self.open.is_idle();
        if self.is_unflushed || !(is_broken || self.open.is_idle()) {
            return Poll::Pending;
        }
        if is_broken && self.open.is_answered.load(Ordering::Acquire) {
            self.connection.upgrade().inspect(|connection| connection.reset());
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        ready!(self.poll_answer(cx))?;
        Poll::Ready(if is_broken { Err(io::ErrorKind::InvalidData.into()) } else { Ok(()) })
    }

    /// Writes the refusal, if there is one, and takes what has come since: closing with unread bytes would reset the
    /// connection, and with it the refusal.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let End::Refused { answer, .. } = &mut self.end else { return Pin::new(&mut self.io).poll_flush(cx) };
        while !answer.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, answer))?;
            answer.advance(written);
        }
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.input.clear();
        while let Poll::Ready(Ok(1..)) = std::pin::pin!(self.io.read_buf(&mut self.input)).poll(cx) {
            self.input.clear();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Child {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Registered before looking, lest a decision made meanwhile be missed.
        self.open.reader.register(cx.waker());
        ready!(self.fill(cx))?;
        if self.checked.is_empty() {
            return self.poll_end(cx);
        }
        let length = self.checked.len().min(buf.remaining()).min(PIECE);
        buf.put_slice(&self.checked.split_to(length));
        if self.checked.is_empty() {
            self.checked = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Child {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.is_unflushed = true;
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_unflushed = true;
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        if std::mem::take(&mut self.is_unflushed) {
            self.open.reader.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
