//! HTTP/2, with h2 on both sides.

mod answer;
mod pipe;
mod stream;
mod upstream;

use std::sync::Arc;

use bytes::Bytes;
use h2::server::{Builder, Connection};

use self::upstream::Upstream;
use super::servers::Servers;
use super::{CONNECTION_WINDOW, MAX_STREAMS, Route, SEND_BUFFER, STREAM_WINDOW};
use crate::engine::wire::http1::MAX_HEAD;
use crate::proxy::error::{Error, Kind, Side, is_end};
use crate::proxy::io::BoxedIo;

/// Carries the exchanges of `io` along `route`. The server's settings come first: the child is told what it is allowed.
pub(super) async fn serve(io: BoxedIo, route: Route) -> Result<(), Error> {
    let connection = Arc::clone(&route.connection);
    let (upstream, allowed) = Upstream::open(route).await;
    let servers = Arc::new(Servers::new(upstream));
    let failed = |error| downstream(&connection, error);
    let mut child = server(&allowed).handshake(io).await.map_err(failed)?;
    let served = tokio::select! {
        served = accept(&mut child, &servers) => served,
        () = connection.drained() => {
            // No exchange is begun any more, and open ones end.
            child.graceful_shutdown();
            accept(&mut child, &servers).await
        }
    };
    match served {
        Err(error) if connection.exchanges.is_idle() && is_end(&error) => Ok(()),
        served => served.map_err(failed),
    }
}

/// What the server allows its client, as far as it can be passed on.
struct Allowed {
    streams: usize,
    extended_connect: bool,
}

/// Takes requests until there are no more.
async fn accept(child: &mut Connection<BoxedIo, Bytes>, servers: &Arc<Servers<Upstream>>) -> Result<(), h2::Error> {
    while let Some(accepted) = child.accept().await {
        let (request, respond) = accepted?;
        tokio::spawn(stream::carry(Arc::clone(servers), request, respond));
    }
    Ok(())
}

fn server(allowed: &Allowed) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .max_concurrent_streams(u32::try_from(allowed.streams.min(MAX_STREAMS)).unwrap_or(u32::MAX))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER);
    if allowed.extended_connect {
        builder.enable_connect_protocol();
    }
    builder
}

fn downstream(connection: &crate::proxy::connection::Connection, error: h2::Error) -> Error {
    let kind = match error.get_io() {
        Some(io) => Kind::of(io),
        None => Kind::Protocol,
    };
    Error::new(Side::Downstream, kind, connection.peer(Side::Downstream)).because(error)
}
