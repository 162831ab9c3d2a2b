//! Connections that stop being HTTP: `101 Switching Protocols` (WebSocket among others) and CONNECT. What follows is
//! copied unread.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded, on};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};

use super::body::Tracked;
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
}

impl Upgrade {
    /// What `request` may become.
    pub(super) fn of(request: &mut Request<Incoming>, protocol: Option<String>) -> Self {
        Self { protocol, is_connect: request.method() == Method::CONNECT, downstream: on(request) }
    }

    /// The answer is not the server's: what follows is HTTP.
    pub(super) fn decline(self, connection: &Connection) {
        if self.protocol.is_some() {
            connection.exchanges.decide(false);
        }
    }

    /// If `response` agrees, joins both sides once its head is delivered; whether it does.
    ///
    /// # Errors
    /// The server agrees to what the policy does not let pass.
    pub(super) fn follow(
        self,
        connection: &Arc<Connection>,
        tracked: &Arc<Tracked>,
        response: &mut Response<Incoming>,
    ) -> Result<bool, Reply> {
        let Some(protocol) = self.protocol else { return Ok(false) };
        let status = response.status();
        let agrees = status == StatusCode::SWITCHING_PROTOCOLS || (self.is_connect && status.is_success());
        let permit = connection.proxy.policy.permit_tunnel(&protocol);
        connection.exchanges.decide(agrees && permit.is_some());
        if !agrees {
            return Ok(false);
        }
        let Some(permit) = permit else {
            tracked.fail("a switch to a protocol that is not read".into());
            return Err(Reply::text(StatusCode::BAD_GATEWAY, "the server switches to a protocol that is not read"));
        };
        let (connection, tracked, upstream) = (Arc::clone(connection), Arc::clone(tracked), on(response));
        tokio::spawn(async move {
            if let Err(error) = join(permit, &connection, &tracked, self.downstream, upstream).await {
                tracked.fail(error.chain());
                connection.failed(&error);
            }
        });
        Ok(true)
    }
}

async fn join(
    _: ConnPermit,
    connection: &Connection,
    tracked: &Tracked,
    downstream: OnUpgrade,
    upstream: OnUpgrade,
) -> Result<(), Error> {
    let failed = |side| move |error| Error::hyper(side, connection.peer(side), error);
    let taped = |io, direction| Taped { io: TokioIo::new(io), half: tracked.half(direction), connection };
    let mut downstream = taped(downstream.await.map_err(failed(Side::Downstream))?, Direction::Request);
    let mut upstream = taped(upstream.await.map_err(failed(Side::Upstream))?, Direction::Response);
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
    half: Half,
    connection: &'a Connection,
}

impl AsyncRead for Taped<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.connection.poll_room(cx));
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        Poll::Ready(self.half.data(&buf.filled()[before..]).map_err(io::Error::other))
    }
}

write_through!(['a] Taped<'a>, io);
