//! HTTP/1, with hyper on both sides.

mod answer;
mod body;
mod child;
mod exchange;
mod narrow;
mod upgrade;
mod upstream;

use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use self::child::Child;
pub(crate) use self::child::Open;
use self::exchange::exchange;
use self::upstream::Upstream;
use super::Route;
use super::servers::Servers;
use crate::engine::wire::http1::{MAX_FIELDS, MAX_HEAD};
use crate::proxy::error::{Error, Side, is_end};
use crate::proxy::io::BoxedIo;

/// Bytes of one connection read and not yet taken; holds the largest head.
const BUFFER: usize = MAX_HEAD + 64 * 1024;

/// Carries the exchanges of `io` along `route`.
pub(super) async fn serve(io: BoxedIo, route: Route) -> Result<(), Error> {
    let connection = Arc::clone(&route.connection);
    let io = Child::new(io, &connection, route.is_secure());
    let servers = Arc::new(Servers::new(Upstream::new(route)));
    let service = service_fn(move |request| exchange(&servers, request));
    let mut serving = pin!(server().serve_connection(TokioIo::new(io), service).with_upgrades());
    let served = tokio::select! {
        served = serving.as_mut() => served,
        // No exchange is begun any more, and open ones end.
        () = connection.drained() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    match served {
        Err(error) if connection.exchanges.is_idle() && is_end(&error) => Ok(()),
        served => served.map_err(|error| Error::hyper(Side::Downstream, connection.peer(Side::Downstream), error)),
    }
}

fn server() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .preserve_header_case(true)
        .auto_date_header(false)
        .max_header_size(MAX_HEAD)
        .max_headers(MAX_FIELDS)
        .max_buf_size(BUFFER);
    builder
}
