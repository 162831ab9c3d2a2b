//! How the server of a connection is reached, once or again.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::engine::http::Origin;
use crate::proxy::connection::Connection;
use crate::proxy::dial::dial;
use crate::proxy::error::Error;
use crate::proxy::io::BoxedIo;
use crate::proxy::tls::Target;

/// The way to a server.
pub(crate) struct Route {
    pub(crate) connection: Arc<Connection>,
    /// What to ask for and what it must be, over TLS.
    target: Option<Target>,
    /// What came of the first attempt, until somebody asks.
    first: Mutex<Option<Result<BoxedIo, Error>>>,
}

impl Route {
    /// A server spoken to in plain text, on `stream` to begin with, if there is one.
    pub(crate) fn plain(connection: &Arc<Connection>, stream: Option<BoxedIo>) -> Self {
        Self { connection: Arc::clone(connection), target: None, first: Mutex::new(stream.map(Ok)) }
    }

    /// A server that there is no connection to: because of `why`, or because none was wanted so far. `target` is what to
    /// ask for over TLS.
    pub(crate) fn untried(connection: &Arc<Connection>, target: Option<Target>, why: Option<Error>) -> Self {
        Self { connection: Arc::clone(connection), target, first: Mutex::new(why.map(Err)) }
    }

    /// A server spoken to over TLS, on `stream` to begin with, if there is one.
    pub(crate) fn secure(connection: &Arc<Connection>, target: Target, stream: Option<BoxedIo>) -> Self {
        Self { connection: Arc::clone(connection), target: Some(target), first: Mutex::new(stream.map(Ok)) }
    }

    /// Whether the server is spoken to over TLS.
    pub(crate) const fn is_secure(&self) -> bool {
        self.target.is_some()
    }

    /// Where requests go that do not say so themselves.
    pub(crate) fn origin(&self) -> Origin {
        let scheme = if self.is_secure() { "https" } else { "http" };
        Origin { scheme, address: self.connection.orig_dst.to_string() }
    }

    /// An open stream to the server.
    ///
    /// # Errors
    /// It cannot be reached.
    pub(crate) async fn connect(&self) -> Result<BoxedIo, Error> {
        if let Some(first) = self.first.lock().await.take() {
            return first;
        }
        if let Some(why) = self.connection.kept_away(true) {
            return Err(why);
        }
        match &self.target {
            None => Ok(Box::new(dial(&self.connection).await?)),
            Some(target) => Ok(Box::new(target.connect(&self.connection).await?.stream)),
        }
    }
}
