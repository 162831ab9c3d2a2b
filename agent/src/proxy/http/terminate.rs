//! The terminating carrier: hyper reads requests from the child and writes them to the server. Limits are set here.

use std::pin::{Pin, pin};
use std::sync::Arc;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::watch;

use super::exchange::exchange;
use super::half_close::HalfClose;
use super::{Protocol, Upstream};
use crate::proxy::error::{Error, Side, is_end};
use crate::proxy::io::BoxedIo;

/// Bytes of one head; more is answered with 431.
pub(crate) const MAX_HEAD: usize = 256 * 1024;
/// The same, as HTTP/2 counts it.
pub(crate) const MAX_HEAD_H2: u32 = 256 * 1024;
/// Bytes of one HTTP/1 connection read and not yet taken; holds the largest head.
pub(crate) const BUFFER: usize = MAX_HEAD + 64 * 1024;
/// Header fields of one head.
pub(crate) const MAX_FIELDS: usize = 512;
/// HTTP/2 streams of one connection at once.
pub(crate) const MAX_STREAMS: u32 = 256;
/// Bytes of one HTTP/2 stream on their way: what keeps 1 Gbit/s busy over 8 ms.
pub(crate) const STREAM_WINDOW: u32 = 1 << 20;
/// Bytes of one HTTP/2 connection on their way.
pub(crate) const CONNECTION_WINDOW: u32 = 4 << 20;
/// Bytes of one HTTP/2 stream that wait to be written.
pub(crate) const SEND_BUFFER: usize = 256 * 1024;

/// Carries the exchanges of `io` to `upstream` until either ends or the session drains.
pub(crate) async fn serve(io: BoxedIo, upstream: Upstream) -> Result<(), Error> {
    let upstream = Arc::new(upstream);
    let connection = Arc::clone(&upstream.connection);
    let drain = connection.drain.clone();
    let protocol = upstream.protocol;
    // Over TLS the end of the child's side stays an abort: most clients' close_notify ends both directions.
    let io: BoxedIo = match upstream.is_secure() {
        true => io,
        false => Box::new(HalfClose::new(io, Arc::clone(&connection.exchanges))),
    };
    let io = TokioIo::new(io);
    let service = service_fn(move |request| exchange(&upstream, request));
    let served = match protocol {
        Protocol::Http1 => {
            let serving = server1().serve_connection(io, service).with_upgrades();
            until_drained(serving, http1::UpgradeableConnection::graceful_shutdown, drain).await
        }
        Protocol::Http2 => {
            let serving = server2().serve_connection(io, service);
            until_drained(serving, http2::Connection::graceful_shutdown, drain).await
        }
    };
    match served {
        Err(error) if connection.exchanges.is_idle() && is_end(&error) => Ok(()),
        served => served.map_err(|error| Error::hyper(Side::Downstream, connection.peer(Side::Downstream), error)),
    }
}

/// Serves; when the session drains, no exchange is begun any more and open ones end.
async fn until_drained<C: Future<Output = hyper::Result<()>>>(
    serving: C,
    shut_down: impl FnOnce(Pin<&mut C>),
    mut drain: watch::Receiver<bool>,
) -> hyper::Result<()> {
    let mut serving = pin!(serving);
    tokio::select! {
        served = serving.as_mut() => return served,
        _ = drain.wait_for(|drain| *drain) => shut_down(serving.as_mut()),
    }
    serving.await
}

fn server1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .preserve_header_case(true)
        .auto_date_header(false)
        .max_header_size(MAX_HEAD)
        .max_headers(MAX_FIELDS)
        .max_buf_size(BUFFER);
    builder
}

fn server2() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .auto_date_header(false)
        .max_header_list_size(MAX_HEAD_H2)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    builder
}
