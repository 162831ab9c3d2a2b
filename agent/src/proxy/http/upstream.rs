//! The server's side of a connection: one HTTP connection at a time, opened when the first request needs it and once
//! more if the server closed it between requests.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::Mutex;
use tokio_rustls::client::TlsStream;

use super::Protocol;
use super::body::Metered;
use super::terminate::{BUFFER, CONNECTION_WINDOW, MAX_FIELDS, MAX_HEAD, MAX_HEAD_H2, SEND_BUFFER, STREAM_WINDOW};
use crate::engine::http::Origin;
use crate::engine::policy::Permit;
use crate::proxy::connection::Connection;
use crate::proxy::dial::dial;
use crate::proxy::error::{Error, Side};
use crate::proxy::io::{BoxedIo, Socket};
use crate::proxy::tls::Target;

/// How to reach the server, and the connection to it while there is one.
pub(crate) struct Upstream {
    pub(crate) connection: Arc<Connection>,
    pub(crate) protocol: Protocol,
    target: Option<Target>,
    sender: Mutex<Option<Sender>>,
    failure: Mutex<Option<Error>>,
}

enum Sender {
    Http1(http1::SendRequest<Metered>),
    Http2(http2::SendRequest<Metered>),
}

impl Upstream {
    /// A server spoken to in plain text. It is dialled when the first request needs it.
    pub(crate) fn plain(connection: &Arc<Connection>, protocol: Protocol) -> Self {
        let (sender, failure) = (Mutex::new(None), Mutex::new(None));
        Self { connection: Arc::clone(connection), protocol, target: None, sender, failure }
    }

    /// A server spoken to in plain text that could not be reached just now: the first request learns why.
    pub(crate) fn unreachable(connection: &Arc<Connection>, protocol: Protocol, why: Error) -> Self {
        Self { failure: Mutex::new(Some(why)), ..Self::plain(connection, protocol) }
    }

    /// A server spoken to over TLS, on `stream` to begin with.
    ///
    /// # Errors
    /// The server closed the connection.
    pub(crate) async fn secure(
        connection: &Arc<Connection>,
        protocol: Protocol,
        target: Target,
        stream: TlsStream<Socket>,
    ) -> Result<Self, Error> {
        let upstream = Self { target: Some(target), ..Self::plain(connection, protocol) };
        let sender = upstream.open(Box::new(stream)).await?;
        Ok(Self { sender: Mutex::new(Some(sender)), ..upstream })
    }

    /// Whether the server is spoken to over TLS.
    pub(crate) const fn is_secure(&self) -> bool {
        self.target.is_some()
    }

    /// Where requests on this connection go.
    pub(crate) fn origin(&self) -> Origin {
        let scheme = if self.is_secure() { "https" } else { "http" };
        Origin { scheme, address: self.connection.orig_dst.to_string() }
    }

    /// Sends a request that the policy permits. If the connection turns out to be closed before any of it was sent, it
    /// is sent on a new one.
    pub(crate) async fn send(&self, _: Permit, request: Request<Metered>) -> Result<Response<Incoming>, Error> {
        let (sender, is_new) = self.sender().await?;
        let unsent = match self.send_on(sender, request).await {
            Ok(response) => return Ok(response),
            Err(failure) => failure,
        };
        match unsent {
            Failure { request: Some(request), .. } if !is_new => {
                let sender = self.connect().await?;
                self.send_on(sender, *request).await.map_err(|failure| self.error(failure.error))
            }
            Failure { error, .. } => Err(self.error(error)),
        }
    }

    async fn send_on(&self, mut sender: Sender, request: Request<Metered>) -> Result<Response<Incoming>, Failure> {
        let response = sender.send(request).await?;
        self.keep(sender).await;
        Ok(response)
    }

    /// An open connection, and whether it was opened just now. HTTP/2 shares one; HTTP/1 lends it until the head of
    /// the response is there, and a cancelled exchange drops it.
    async fn sender(&self) -> Result<(Sender, bool), Error> {
        let mut slot = self.sender.lock().await;
        match slot.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => {
                *slot = sender.share();
                Ok((sender, false))
            }
            None => {
                let sender = self.connect().await?;
                *slot = sender.share();
                Ok((sender, true))
            }
        }
    }

    async fn keep(&self, sender: Sender) {
        self.sender.lock().await.get_or_insert(sender);
    }

    async fn connect(&self) -> Result<Sender, Error> {
        if let Some(failure) = self.failure.lock().await.take() {
            return Err(failure);
        }
        let io: BoxedIo = match &self.target {
            None => Box::new(dial(&self.connection).await?),
            Some(target) => Box::new(target.connect(&self.connection).await?.stream),
        };
        self.open(io).await
    }

    async fn open(&self, io: BoxedIo) -> Result<Sender, Error> {
        let io = TokioIo::new(io);
        match self.protocol {
            Protocol::Http1 => {
                let (sender, driver) = client1().handshake(io).await.map_err(|error| self.error(error))?;
                drive(driver.with_upgrades());
                Ok(Sender::Http1(sender))
            }
            Protocol::Http2 => {
                let (sender, driver) = client2().handshake(io).await.map_err(|error| self.error(error))?;
                drive(driver);
                Ok(Sender::Http2(sender))
            }
        }
    }

    /// A body that could not be read is its sender's fault, not the server's.
    fn error(&self, error: hyper::Error) -> Error {
        let from_body = error.is_user() && std::error::Error::source(&error).is_some();
        let side = if from_body { Side::Downstream } else { Side::Upstream };
        Error::hyper(side, self.connection.peer(side), error)
    }
}

/// A request that failed, with the request if none of it was sent.
struct Failure {
    error: hyper::Error,
    request: Option<Box<Request<Metered>>>,
}

impl From<TrySendError<Request<Metered>>> for Failure {
    fn from(mut failed: TrySendError<Request<Metered>>) -> Self {
        Self { request: failed.take_message().map(Box::new), error: failed.into_error() }
    }
}

impl Sender {
    async fn send(&mut self, request: Request<Metered>) -> Result<Response<Incoming>, TrySendError<Request<Metered>>> {
        match self {
            Self::Http1(sender) => {
                // Whether it is still open shows when the request is tried.
                drop(sender.ready().await);
                sender.try_send_request(request).await
            }
            Self::Http2(sender) => {
                drop(sender.ready().await);
                sender.try_send_request(request).await
            }
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    fn share(&self) -> Option<Self> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(sender) => Some(Self::Http2(sender.clone())),
        }
    }
}

/// The connection's own task ends when the connection does; what goes wrong its exchanges learn.
fn drive(driver: impl Future<Output = hyper::Result<()>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "upstream connection ended");
        }
    });
}

fn client1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.preserve_header_case(true).max_header_size(MAX_HEAD).max_headers(MAX_FIELDS).max_buf_size(BUFFER);
    builder
}

fn client2() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_header_list_size(MAX_HEAD_H2)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    builder
}
