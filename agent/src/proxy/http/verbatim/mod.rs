//! Drives the verbatim carrier: reads both sockets, lets the engine's passage take what came, writes what it gives. One
//! task for both directions; what one side does not take, the other does not send.

mod later;

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};
use tokio::time::timeout;

use self::later::Later;
use super::Protocol;
use crate::engine::http::Origin;
use crate::engine::http::exchange::Direction::{self, Request, Response};
use crate::engine::http::verbatim::{Exchanges, Fate, Http1, Http2, Out, Passage};
use crate::engine::wire::http1::MAX_HEAD;
use crate::proxy::connection::Connection;
use crate::proxy::error::{Error, Side};
use crate::proxy::io::{BoxedIo, Rewind};

/// Bytes that are read at once.
const READ: usize = 64 * 1024;
/// Bytes of one direction that wait to be written; more is not read.
const WAITING: usize = 64 * 1024;
/// Bytes of one direction that wait to be taken; more is not read. Holds the largest head.
const UNTAKEN: usize = MAX_HEAD + READ;
/// How long one side may take to close after the other has.
const LINGER: Duration = Duration::from_secs(2);

/// A connection between two exchanges, for who carries it on.
pub(crate) struct Rest {
    /// The child's end, with what it has sent of the next exchange.
    pub(crate) child: BoxedIo,
    /// The server's end, if it is still open.
    pub(crate) server: Option<BoxedIo>,
}

/// Carries one connection until it ends, or until rules have come that only who ends HTTP can follow.
pub(crate) async fn carry(
    connection: &Arc<Connection>,
    protocol: Protocol,
    origin: Origin,
    downstream: BoxedIo,
    upstream: BoxedIo,
) -> Result<Option<Rest>, Error> {
    let later = Arc::new(Later::new(connection));
    let exchanges = Arc::clone(&later) as Arc<dyn Exchanges>;
    let passage: Box<dyn Passage> = match protocol {
        Protocol::Http1 => Box::new(Http1::new(exchanges, connection.id, origin)),
        Protocol::Http2 => Box::new(Http2::new(exchanges, connection.id, origin)),
    };
    let (child, server) = (Leg::new(downstream), Leg::new(upstream));
    let mut pump = Pump { passage, later, connection, child, server, out: Out::default() };
    let carried = tokio::select! {
        carried = poll_fn(|cx| pump.poll(cx)) => carried,
        () = connection.drained() => {
            pump.passage.drain(&mut pump.out);
            poll_fn(|cx| pump.poll(cx)).await
        }
        () = connection.outgrown() => {
            pump.passage.outgrow(&mut pump.out);
            poll_fn(|cx| pump.poll(cx)).await
        }
    };
    carried.inspect_err(|_| connection.reset())?;
    match pump.passage.fate() {
        Fate::Reset => connection.reset(),
        Fate::Open | Fate::Close => pump.close().await,
        Fate::Outgrown => return Ok(Some(pump.rest())),
    }
    Ok(None)
}

/// One end of the connection.
struct Leg {
    io: BoxedIo,
    /// Read, and not yet taken.
    input: BytesMut,
    source: Source,
    /// Nothing more can be written.
    is_shut: bool,
    is_unflushed: bool,
}

/// What is still to come from one end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Perhaps more.
    Open,
    /// Nothing: it said so.
    Ended,
    /// Nothing: the connection ended without a word (TLS without close_notify).
    Cut,
}

impl Leg {
    fn new(io: BoxedIo) -> Self {
        Self { io, input: BytesMut::new(), source: Source::Open, is_shut: false, is_unflushed: false }
    }

    /// Reads once; the number of bytes, or nothing for now.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(READ);
        pin!(self.io.read_buf(&mut self.input)).poll(cx)
    }

    /// Writes as much of `bytes` as is taken; whether any was.
    fn write(&mut self, bytes: &mut BytesMut, cx: &mut Context<'_>) -> io::Result<bool> {
        let before = bytes.len();
        while !bytes.is_empty() {
            let Poll::Ready(written) = Pin::new(&mut self.io).poll_write(cx, bytes)? else { break };
            bytes.advance(written);
            self.is_unflushed = true;
        }
        if bytes.is_empty() && self.is_unflushed {
            *bytes = BytesMut::new();
            self.is_unflushed = Pin::new(&mut self.io).poll_flush(cx)?.is_pending();
        }
        Ok(bytes.len() < before)
    }

    /// Tells the other end that no more is written.
    fn shut(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        self.is_shut = Pin::new(&mut self.io).poll_shutdown(cx)?.is_ready();
        Ok(self.is_shut)
    }

    /// Tells the other end that no more is written, unless it was told.
    async fn end(&mut self) -> io::Result<()> {
        if self.is_shut { Ok(()) } else { poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await }
    }

    /// Reads to the end, for nobody: closing with unread bytes would reset the connection, and with it what was
    /// written last.
    async fn discard(&mut self) -> io::Result<()> {
        while self.source == Source::Open {
            self.input.clear();
            self.source = match self.io.read_buf(&mut self.input).await {
                Ok(0) => Source::Ended,
                Ok(_) => Source::Open,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Source::Cut,
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }

    /// Reads what has come, for nobody.
    async fn skim(&mut self) {
        poll_fn(|cx| {
            while let Poll::Ready(Ok(1..)) = self.read(cx) {
                self.input.clear();
            }
            Poll::Ready(())
        })
        .await;
    }

    /// An idle connection holds no memory.
    fn forget(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }
}

/// A connection and what carries it.
struct Pump<'a> {
    passage: Box<dyn Passage>,
    later: Arc<Later>,
    connection: &'a Connection,
    child: Leg,
    server: Leg,
    out: Out,
}

impl Pump<'_> {
    /// Moves what can be moved; ready when the passage is over and all of it is written, or when it failed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            let mut moved = false;
            for direction in [Request, Response] {
                moved |= self.read(direction, cx)?;
                moved |= self.write(direction, cx)?;
            }
            self.later.report();
            match self.passage.fate() {
                Fate::Reset => return Poll::Ready(Ok(())),
                Fate::Close | Fate::Outgrown if self.is_written() => return Poll::Ready(Ok(())),
                Fate::Open | Fate::Close | Fate::Outgrown if moved => {}
                Fate::Open | Fate::Close | Fate::Outgrown => return Poll::Pending,
            }
        }
    }

    /// Takes what comes in `direction`.
    fn read(&mut self, direction: Direction, cx: &mut Context<'_>) -> Result<bool, Error> {
        let is_full = self.out.upstream.len() > WAITING || self.out.downstream.len() > WAITING;
        if is_full
            || self.connection.poll_room(cx).is_pending()
            || self.passage.fate() != Fate::Open
            || !self.passage.wants(direction)
        {
            return Ok(false);
        }
        let leg = leg(&mut self.child, &mut self.server, direction);
        let before = leg.input.len();
        self.passage.take(direction, &mut leg.input, &mut self.out);
        let mut moved = leg.input.len() < before;
        let has_room = leg.input.len() <= UNTAKEN;
        if leg.source == Source::Open && has_room && self.passage.fate() == Fate::Open && self.passage.wants(direction)
        {
            let Poll::Ready(read) = leg.read(cx) else {
                leg.forget();
                return Ok(moved);
            };
            self.came(direction, read)?;
            moved = true;
        }
        Ok(moved)
    }

    /// Takes the result of a read.
    fn came(&mut self, direction: Direction, read: io::Result<usize>) -> Result<(), Error> {
        let leg = leg(&mut self.child, &mut self.server, direction);
        match read {
            Ok(1..) => self.passage.take(direction, &mut leg.input, &mut self.out),
            Ok(0) => leg.source = Source::Ended,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => leg.source = Source::Cut,
            Err(error) => return Err(self.failed(direction, error)),
        }
        if leg.source != Source::Open {
            self.passage.end(direction, &mut self.out);
        }
        leg.forget();
        Ok(())
    }

    /// Writes what goes on in `direction`, and its end.
    fn write(&mut self, direction: Direction, cx: &mut Context<'_>) -> Result<bool, Error> {
        let source = leg(&mut self.child, &mut self.server, direction).source;
        let bytes = self.out.along(direction);
        let leg = leg(&mut self.server, &mut self.child, direction);
        if leg.is_shut {
            bytes.clear();
            return Ok(false);
        }
        let written = leg.write(bytes, cx);
        let is_done = bytes.is_empty() && !leg.is_unflushed;
        let shut = written.and_then(|moved| {
            let ends = is_done && source == Source::Ended && self.passage.fate() == Fate::Open;
            Ok(moved | (ends && leg.shut(cx)?))
        });
        match (shut, direction) {
            (Ok(moved), _) => Ok(moved),
            // A server that no longer reads may have said why.
            (Err(error), Request) => {
                tracing::debug!(%error, "the server takes no more");
                leg.is_shut = true;
                Ok(true)
            }
            (Err(error), Response) => Err(self.failed(Request, error)),
        }
    }

    fn is_written(&self) -> bool {
        let is_done = |leg: &Leg, bytes: &BytesMut| leg.is_shut || (bytes.is_empty() && !leg.is_unflushed);
        is_done(&self.child, &self.out.downstream) && is_done(&self.server, &self.out.upstream)
    }

    fn failed(&self, direction: Direction, error: io::Error) -> Error {
        let side = match direction {
            Request => Side::Downstream,
            Response => Side::Upstream,
        };
        Error::io(side, self.connection.peer(side), error)
    }

    /// What is left when the last exchange is over.
    fn rest(self) -> Rest {
        let Leg { io, input, .. } = self.child;
        let is_open = self.server.source == Source::Open && self.server.input.is_empty() && !self.server.is_shut;
        let server = is_open.then_some(self.server.io);
        Rest { child: Box::new(Rewind::new(input.freeze(), io)), server }
    }

    /// Closes both sides, each as the other did: an end that one did not announce is not announced to the other.
    async fn close(mut self) {
        let (first, second) = if self.child.source == Source::Open {
            (&mut self.child, &mut self.server)
        } else {
            (&mut self.server, &mut self.child)
        };
        let closed = async {
            match second.source {
                Source::Cut => {
                    // Nobody is told, so nobody can be waited for.
                    first.skim().await;
                    Ok(())
                }
                Source::Ended => {
                    first.end().await?;
                    first.discard().await?;
                    if first.source == Source::Cut { Ok(()) } else { second.end().await }
                }
                // Neither did: the end is ours.
                Source::Open => {
                    first.end().await?;
                    second.end().await?;
                    first.discard().await
                }
            }
        };
        match timeout(LINGER, closed).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection did not close"),
            Err(_) => tracing::debug!("one side of a connection was not closed"),
        }
    }
}

/// Where what goes in `direction` comes from, if `child` is the child's end and `server` the server's.
const fn leg<'a>(child: &'a mut Leg, server: &'a mut Leg, direction: Direction) -> &'a mut Leg {
    match direction {
        Request => child,
        Response => server,
    }
}
