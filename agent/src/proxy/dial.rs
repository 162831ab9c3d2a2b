//! Opens TCP connections upstream, never to the host or its infrastructure.

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::connection::Connection;
use super::error::{Error, Kind, Side};
use super::io::Socket;
use crate::engine::event::{Event, micros};

/// Refuses a destination that is never dialled.
///
/// # Errors
/// [`Kind::Forbidden`].
pub(crate) fn check(connection: &Connection) -> Result<(), Error> {
    let dst = connection.proxy.destinations.dialled(connection.orig_dst);
    let Some(reason) = connection.proxy.destinations.forbidden(dst.ip()) else { return Ok(()) };
    connection.emit(Event::UpstreamRefused { connection: connection.id, dst, reason });
    Err(Error::new(Side::Upstream, Kind::Forbidden, dst))
}

/// Connects to the original destination of `connection`, or gives what came of dialling early.
pub(crate) async fn dial(connection: &Connection) -> Result<Socket, Error> {
    if let Some(kept) = connection.kept() {
        return kept;
    }
    check(connection)?;
    let proxy = &connection.proxy;
    let dst = proxy.destinations.dialled(connection.orig_dst);
    let begun = Instant::now();
    match timeout(proxy.timeouts.connect, TcpStream::connect(dst)).await {
        Ok(Ok(tcp)) => {
            let took_us = micros(begun.elapsed());
            connection.emit(Event::UpstreamConnected { connection: connection.id, took_us });
            Ok(Socket::new(tcp, connection.upstream.clone()))
        }
        Ok(Err(error)) => Err(Error::io(Side::Upstream, connection.orig_dst, error)),
        Err(_) => Err(Error::new(Side::Upstream, Kind::TimedOut, connection.orig_dst)),
    }
}
