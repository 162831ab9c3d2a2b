//! Connections that stop being HTTP: `101 Switching Protocols` (WebSocket among others) and CONNECT. What follows is
//! copied unread.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded, on};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};

use super::body::Tracked;
use crate::engine::edit::Transform;
use crate::engine::http::Reply;
use crate::engine::http::exchange::{Direction, Half};
use crate::engine::policy::ConnPermit;
use crate::proxy::connection::Connection;
use crate::proxy::error::{Error, Side};
use crate::proxy::io::write_through;
use crate::proxy::relay::copy;

/// The child's side of an upgrade that may come.
pub(super) struct Upgrade {
    downstream: OnUpgrade,
    /// What the connection is to become, if the child asked for that.
    protocol: Option<String>,
    is_connect: bool,
    /// What rules make of what the child sends then.
    transform: Option<Transform>,
}

impl Upgrade {
    /// What `request` may become.
    pub(super) fn of(request: &mut Request<Incoming>, protocol: Option<String>) -> Self {
        let is_connect = request.method() == Method::CONNECT;
        Self { protocol, is_connect, downstream: on(request), transform: None }
    }

    /// Whether the child asked for one.
    pub(super) const fn is_wanted(&self) -> bool {
        self.protocol.is_some()
    }

    /// The same, with what the child sends then changed.
    pub(super) fn through(self, transform: Option<Transform>) -> Self {
        Self { transform, ..self }
    }

    /// The answer is not the server's: what follows is HTTP.
    pub(super) fn decline(self, connection: &Connection) {
        if self.protocol.is_some() {
            connection.exchanges.decide(false);
        }
    }

    /// If `response` agrees, joins both sides once its head is delivered, with what the server sends then changed by
    /// `transform`; whether it does, and the transform if it is the response's body that it is for.
    ///
    /// # Errors
    /// The server agrees to what the policy does not let pass.
    pub(super) fn follow(
        self,
        connection: &Arc<Connection>,
        tracked: &Arc<Tracked>,
        response: &mut Response<Incoming>,
        transform: Option<Transform>,
    ) -> Result<(bool, Option<Transform>), Reply> {
        let Some(protocol) = self.protocol else { return Ok((false, transform)) };
        let status = response.status();
        let agrees = status == StatusCode::SWITCHING_PROTOCOLS || (self.is_connect && status.is_success());
        let permit = connection.proxy.policy().permit_tunnel(&protocol);
        connection.exchanges.decide(agrees && permit.is_some());
        if !agrees {
            return Ok((false, transform));
        }
        let Some(permit) = permit else {
            tracked.fail("a switch to a protocol that is not read".into());
            return Err(Reply::text(StatusCode::BAD_GATEWAY, "the server switches to a protocol that is not read"));
        };
        let (connection, tracked, upstream) = (Arc::clone(connection), Arc::clone(tracked), on(response));
        let (downstream, transforms) = (self.downstream, [self.transform, transform]);
        tokio::spawn(async move {
            if let Err(error) = join(permit, &connection, &tracked, (downstream, upstream), transforms).await {
                tracked.fail(error.chain());
                connection.failed(&error);
            }
        });
        Ok((true, None))
    }
}

async fn join(
    _: ConnPermit,
    connection: &Connection,
    tracked: &Tracked,
    (downstream, upstream): (OnUpgrade, OnUpgrade),
    [sent, received]: [Option<Transform>; 2],
) -> Result<(), Error> {
    let failed = |side| move |error| Error::hyper(side, connection.peer(side), error);
    let taped = |io, direction, transform| {
        let (io, half) = (TokioIo::new(io), tracked.half(direction));
        Taped { io, direction, half, connection, transform, changed: BytesMut::new(), is_over: false }
    };
    let mut downstream = taped(downstream.await.map_err(failed(Side::Downstream))?, Direction::Request, sent);
    let mut upstream = taped(upstream.await.map_err(failed(Side::Upstream))?, Direction::Response, received);
    let copied = copy(connection, &mut downstream, &mut upstream).await;
    for (direction, Taped { mut half, .. }) in [(Direction::Request, downstream), (Direction::Response, upstream)] {
        match &copied {
            Ok(_) => half.end(),
            Err(error) => half.fail(error.chain()),
        }
        tracked.settle(direction, half);
    }
    copied.map(drop)
}

/// One side of a tunnel; what is read from it is noted as it passes.
struct Taped<'a> {
    io: TokioIo<Upgraded>,
    direction: Direction,
    half: Half,
    connection: &'a Connection,
    /// What rules make of it, and what came of that so far.
    transform: Option<Transform>,
    changed: BytesMut,
    is_over: bool,
}

impl Taped<'_> {
    /// Takes what was read, or the end; what is noted is what the child says and is told.
    fn take(&mut self, read: &[u8]) -> io::Result<()> {
        let Some(transform) = &mut self.transform else { return Ok(()) };
        let mut changed = Vec::new();
        let done = if read.is_empty() { transform.end(&mut changed) } else { transform.push(read, &mut changed) };
        done.map_err(io::Error::other)?;
        self.is_over = read.is_empty();
        let noted = if self.direction == Direction::Request { read } else { &changed };
        self.half.data(noted).map_err(io::Error::other)?;
        self.changed.extend_from_slice(&changed);
        Ok(())
    }

    fn poll_changed(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.changed.is_empty() && !self.is_over {
            let mut room = [0; 8 * 1024];
            let mut room = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut room))?;
            self.take(room.filled())?;
        }
        let length = self.changed.len().min(buf.remaining());
        buf.put_slice(&self.changed.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Taped<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.connection.poll_room(cx));
        if self.transform.is_some() {
            return self.poll_changed(cx, buf);
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        Poll::Ready(self.half.data(&buf.filled()[before..]).map_err(io::Error::other))
    }
}

write_through!(['a] Taped<'a>, io);
