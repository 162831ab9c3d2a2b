//! The server's side of a connection: one HTTP/2 connection at a time, opened once more if the server ended it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use tokio::sync::Mutex;

use super::{Allowed, CONNECTION_WINDOW, MAX_HEAD, MAX_STREAMS, Route, SEND_BUFFER, STREAM_WINDOW};
use crate::engine::policy::Permit;
use crate::engine::policy::rules::redirect::Redirect;
use crate::proxy::error::{Error, Kind, Side};
use crate::proxy::io::BoxedIo;

/// The way to the server, and the connection to it.
pub(super) struct Upstream {
    pub(super) route: Route,
    sender: Mutex<Option<SendRequest<Bytes>>>,
    /// Why the first attempt failed, for the first who asks.
    failure: Mutex<Option<Error>>,
}

impl Upstream {
    /// Reaches the server by `route`, and learns what it allows. If that fails, the first request is told why.
    pub(super) async fn open(route: Route) -> (Self, Allowed) {
        let none = Allowed { streams: MAX_STREAMS, extended_connect: false };
        if route.connection.kept_away(false).is_some() {
            return (Self::untried(route), none);
        }
        let (sender, failure, allowed) = match connect(&route).await {
            Ok((sender, allowed)) => (Some(sender), None, allowed),
            Err(error) => (None, Some(error), none),
        };
        (Self { route, sender: Mutex::new(sender), failure: Mutex::new(failure) }, allowed)
    }

    /// The server that a rule names, not yet dialled.
    pub(super) fn elsewhere(own: &Self, redirect: Redirect) -> Self {
        Self::untried(own.route.elsewhere(redirect, b"h2"))
    }

    fn untried(route: Route) -> Self {
        Self { route, sender: Mutex::default(), failure: Mutex::default() }
    }

    /// What a request that the policy permits is sent with.
    pub(super) async fn sender(&self, _: Permit) -> Result<SendRequest<Bytes>, Error> {
        if let Some(failure) = self.failure.lock().await.take() {
            return Err(failure);
        }
        let mut slot = self.sender.lock().await;
        if let Some(sender) = slot.clone()
            && let Ok(ready) = sender.ready().await
        {
            return Ok(ready);
        }
        let (sender, _) = connect(&self.route).await?;
        let ready = sender.clone().ready().await.map_err(|error| broken(&self.route, error))?;
        *slot = Some(sender);
        Ok(ready)
    }
}

async fn connect(route: &Route) -> Result<(SendRequest<Bytes>, Allowed), Error> {
    let io = route.connect().await?;
    let failed = |error| broken(route, error);
    let (sender, mut connection) = client().handshake(io).await.map_err(failed)?;
    settled(&sender, &mut connection).await.map_err(failed)?;
    let allowed = Allowed {
        streams: sender.current_max_send_streams(),
        extended_connect: sender.is_extended_connect_protocol_enabled(),
    };
    // The connection's own task ends when the connection does; what goes wrong its exchanges learn.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "upstream connection ended");
        }
    });
    Ok((sender, allowed))
}

/// Drives the connection until the server's settings are there: no stream is allowed before.
async fn settled(sender: &SendRequest<Bytes>, connection: &mut Connection<BoxedIo, Bytes>) -> Result<(), h2::Error> {
    poll_fn(|cx| match Pin::new(&mut *connection).poll(cx) {
        Poll::Ready(ended) => Poll::Ready(ended),
        Poll::Pending if sender.current_max_send_streams() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
    .await
}

fn broken(route: &Route, error: h2::Error) -> Error {
    let kind = error.get_io().map_or(Kind::Closed, Kind::of);
    Error::new(Side::Upstream, kind, route.peer(Side::Upstream)).because(error)
}

fn client() -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_max_send_streams(0)
        .enable_push(false)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER);
    builder
}
