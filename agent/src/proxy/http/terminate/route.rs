//! How the server of a connection is reached, once or again.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::engine::http::Origin;
use crate::engine::policy::rules::redirect::Redirect;
use crate::proxy::connection::Connection;
use crate::proxy::dial::{dial, dial_first};
use crate::proxy::error::{Error, Kind, Side};
use crate::proxy::io::BoxedIo;
use crate::proxy::tls::Target;

/// The way to a server.
pub(crate) struct Route {
    pub(crate) connection: Arc<Connection>,
    /// What to ask for and what it must be, over TLS.
    target: Option<Target>,
    /// The server that a rule names in the place of the connection's own.
    elsewhere: Option<Elsewhere>,
    /// What came of the first attempt, until somebody asks.
    first: Mutex<Option<Result<BoxedIo, Error>>>,
}

/// A server that a rule names, and what it must speak.
struct Elsewhere {
    redirect: Redirect,
    alpn: &'static [u8],
    is_post_quantum: bool,
}

impl Route {
    /// A server spoken to in plain text, on `stream` to begin with, if there is one.
    pub(crate) fn plain(connection: &Arc<Connection>, stream: Option<BoxedIo>) -> Self {
        Self::to(connection, None, stream.map(Ok))
    }

    /// A server that there is no connection to: because of `why`, or because none was wanted so far. `target` is what to
    /// ask for over TLS.
    pub(crate) fn untried(connection: &Arc<Connection>, target: Option<Target>, why: Option<Error>) -> Self {
        Self::to(connection, target, why.map(Err))
    }

    /// A server spoken to over TLS, on `stream` to begin with, if there is one.
    pub(crate) fn secure(connection: &Arc<Connection>, target: Target, stream: Option<BoxedIo>) -> Self {
        Self::to(connection, Some(target), stream.map(Ok))
    }

    fn to(connection: &Arc<Connection>, target: Option<Target>, first: Option<Result<BoxedIo, Error>>) -> Self {
        Self { connection: Arc::clone(connection), target, elsewhere: None, first: Mutex::new(first) }
    }

    /// The way to the server that a rule names, which must speak `alpn`.
    pub(super) fn elsewhere(&self, redirect: Redirect, alpn: &'static [u8]) -> Self {
        let is_post_quantum = self.target.as_ref().is_none_or(|target| target.is_post_quantum);
        let elsewhere = Some(Elsewhere { redirect, alpn, is_post_quantum });
        Self { elsewhere, ..Self::to(&self.connection, None, None) }
    }

    /// The address at the other end of `side`.
    pub(super) fn peer(&self, side: Side) -> SocketAddr {
        let named = self.elsewhere.as_ref().filter(|_| side == Side::Upstream);
        let named = named.and_then(|elsewhere| elsewhere.redirect.sockets().next());
        named.unwrap_or_else(|| self.connection.peer(side))
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
        if let Some(elsewhere) = &self.elsewhere {
            return elsewhere.connect(&self.connection).await;
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

impl Elsewhere {
    /// An open stream to the server.
    async fn connect(&self, connection: &Connection) -> Result<BoxedIo, Error> {
        let upstream = &self.redirect.to;
        let (socket, peer) = dial_first(connection, self.redirect.sockets()).await?;
        if !upstream.is_secure() {
            return Ok(Box::new(socket));
        }
        let unfit = |why: &str| Error::new(Side::Upstream, Kind::Tls, peer).because(why);
        let target = Target::named(upstream.host(), self.alpn, self.is_post_quantum);
        let target = target.ok_or_else(|| unfit("TLS cannot ask for its name"))?;
        let session = target.connect_on(connection, socket, peer).await?;
        // RFC 7301 section 3.2: a server without the extension speaks what was always spoken.
        match session.alpn() {
            None if self.alpn != b"h2" => Ok(Box::new(session.stream)),
            Some(alpn) if alpn == self.alpn => Ok(Box::new(session.stream)),
            _ => Err(unfit("it does not speak the HTTP that the request came in")),
        }
    }
}
