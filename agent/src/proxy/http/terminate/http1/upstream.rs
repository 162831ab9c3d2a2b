//! The server's side of a connection: one HTTP/1 connection at a time, opened when the first request needs it and once
//! more if the server closed it between requests.

use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::sync::Mutex;

use super::body::Outgoing;
use super::narrow::Narrow;
use super::{BUFFER, MAX_FIELDS, MAX_HEAD, Route};
use crate::engine::policy::Permit;
use crate::engine::policy::rules::redirect::Redirect;
use crate::proxy::error::{Error, Side};

/// The way to the server, and the connection to it while there is one that nobody uses.
pub(super) struct Upstream {
    pub(super) route: Route,
    sender: Mutex<Option<Sender>>,
}

type Sender = SendRequest<Outgoing>;

impl Upstream {
    /// A server that is reached by `route`.
    pub(super) const fn new(route: Route) -> Self {
        Self { route, sender: Mutex::const_new(None) }
    }

    /// The server that a rule names.
    pub(super) fn elsewhere(own: &Self, redirect: Redirect) -> Self {
        Self::new(own.route.elsewhere(redirect, b"http/1.1"))
    }

    /// Sends a request that the policy permits. If the connection turns out to be closed before any of it was sent, it
    /// is sent on a new one.
    pub(super) async fn send(&self, _: Permit, request: Request<Outgoing>) -> Result<Response<Incoming>, Error> {
        // It is lent until the head of the response is there; a cancelled exchange drops it.
        let idle = self.sender.lock().await.take().filter(|sender| !sender.is_closed());
        let is_new = idle.is_none();
        let sender = match idle {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        match self.send_on(sender, request).await {
            Ok(response) => Ok(response),
            Err(Failure { request: Some(request), .. }) if !is_new => {
                let sender = self.connect().await?;
                self.send_on(sender, *request).await.map_err(|failure| self.error(failure.error))
            }
            Err(Failure { error, .. }) => Err(self.error(error)),
        }
    }

    async fn send_on(&self, mut sender: Sender, request: Request<Outgoing>) -> Result<Response<Incoming>, Failure> {
        // Whether it is still open shows when the request is tried.
        drop(sender.ready().await);
        let response = sender.try_send_request(request).await?;
        self.sender.lock().await.get_or_insert(sender);
        Ok(response)
    }

    async fn connect(&self) -> Result<Sender, Error> {
        let io = TokioIo::new(Narrow(self.route.connect().await?));
        let (sender, driver) = client().handshake(io).await.map_err(|error| self.error(error))?;
        // The connection's own task ends when the connection does; what goes wrong its exchanges learn.
        tokio::spawn(async move {
            if let Err(error) = driver.with_upgrades().await {
                tracing::debug!(%error, "upstream connection ended");
            }
        });
        Ok(sender)
    }

    /// A body that could not be read is its sender's fault, not the server's.
    fn error(&self, error: hyper::Error) -> Error {
        let from_body = error.is_user() && std::error::Error::source(&error).is_some();
        let side = if from_body { Side::Downstream } else { Side::Upstream };
        Error::hyper(side, self.route.peer(side), error)
    }
}

/// A request that failed, with the request if none of it was sent.
struct Failure {
    error: hyper::Error,
    request: Option<Box<Request<Outgoing>>>,
}

impl From<TrySendError<Request<Outgoing>>> for Failure {
    fn from(mut failed: TrySendError<Request<Outgoing>>) -> Self {
        Self { request: failed.take_message().map(Box::new), error: failed.into_error() }
    }
}

fn client() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.preserve_header_case(true).max_header_size(MAX_HEAD).max_headers(MAX_FIELDS).max_buf_size(BUFFER);
    builder
}
