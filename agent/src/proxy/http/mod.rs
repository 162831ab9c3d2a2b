//! HTTP between one connection of the child and one of the server, by one of two carriers: verbatim, which passes bytes
//! on as they came, or terminate, which ends HTTP here and begins it anew. Both drive the engine's one exchange.

mod terminate;
mod verbatim;

use std::sync::Arc;

use tokio_rustls::client::TlsStream;

pub(crate) use self::terminate::Open;
use self::terminate::Route;
use self::verbatim::Rest;
use super::connection::Connection;
use super::dial::dial;
use super::error::Error;
use super::io::{BoxedIo, Socket};
use super::tls::Target;
use crate::engine::http::Origin;
use crate::engine::policy::Carrier;

/// What both sides of a connection speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Carries plain-text HTTP. Where the server cannot be reached the child is told so in HTTP.
pub(crate) async fn plain(connection: &Arc<Connection>, protocol: Protocol, io: BoxedIo) -> Result<(), Error> {
    if connection.kept_away(false).is_some() {
        return unserved(connection, protocol, io, None, None).await;
    }
    if is_ended(connection) {
        return terminate::serve(io, protocol, Route::plain(connection, None)).await;
    }
    let upstream = match dial(connection).await {
        Ok(upstream) => Box::new(upstream),
        Err(error) => return unserved(connection, protocol, io, None, Some(error)).await,
    };
    match verbatim::carry(connection, protocol, origin(connection, "http"), io, upstream).await? {
        None => Ok(()),
        Some(Rest { child, server }) => terminate::serve(child, protocol, Route::plain(connection, server)).await,
    }
}

/// Carries HTTP over TLS.
pub(crate) async fn secure(
    connection: &Arc<Connection>,
    protocol: Protocol,
    io: BoxedIo,
    target: Target,
    upstream: TlsStream<Socket>,
) -> Result<(), Error> {
    if is_ended(connection) {
        return terminate::serve(io, protocol, Route::secure(connection, target, Some(Box::new(upstream)))).await;
    }
    match verbatim::carry(connection, protocol, origin(connection, "https"), io, Box::new(upstream)).await? {
        None => Ok(()),
        Some(Rest { child, server }) => {
            terminate::serve(child, protocol, Route::secure(connection, target, server)).await
        }
    }
}

/// Carries HTTP whose server there is no connection to: because of `why`, or because none was wanted so far.
pub(crate) async fn unserved(
    connection: &Arc<Connection>,
    protocol: Protocol,
    io: BoxedIo,
    target: Option<Target>,
    why: Option<Error>,
) -> Result<(), Error> {
    terminate::serve(io, protocol, Route::untried(connection, target, why)).await
}

/// Whether HTTP ends here: what rules may say needs it, or the user wants it.
fn is_ended(connection: &Connection) -> bool {
    connection.outlook().works || connection.proxy.policy().carrier == Carrier::Terminate
}

fn origin(connection: &Connection, scheme: &'static str) -> Origin {
    Origin { scheme, address: connection.orig_dst.to_string() }
}
