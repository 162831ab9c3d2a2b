//! Opens TCP connections upstream, never to the host or its infrastructure unless a rule leads there.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::connection::Connection;
use super::error::{Error, Kind, Side};
use super::io::Socket;
use crate::engine::event::{Event, micros};
use crate::engine::policy::destination;

/// How long connecting may take to a server in whose place rules answer some requests.
const MOCKED: Duration = Duration::from_secs(2);

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

/// Whether the address stands for a host in whose place rules answer: it is never dialled, and not refused either.
pub(crate) fn is_stand_in(connection: &Connection) -> bool {
    connection.orig_dst.ip().to_canonical() == IpAddr::V4(destination::STAND_IN)
}

/// Connects to the first of `addresses` that answers, and says which. A rule names them, not the child: none is refused.
pub(crate) async fn dial_first(
    connection: &Connection,
    addresses: impl Iterator<Item = SocketAddr>,
) -> Result<(Socket, SocketAddr), Error> {
    let mut failed = Error::new(Side::Upstream, Kind::Unreachable, "the upstream that a rule names");
    for address in addresses {
        match timeout(connection.proxy.timeouts.connect, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok((Socket::new(tcp, connection.upstream.clone()), address)),
            Ok(Err(error)) => failed = Error::io(Side::Upstream, address, error),
            Err(_) => failed = Error::new(Side::Upstream, Kind::TimedOut, address),
        }
    }
    Err(failed)
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
    // Where some is answered without the server, that is not to wait for one that does not answer.
    let patience = if connection.outlook().mocks { MOCKED.min(proxy.timeouts.connect) } else { proxy.timeouts.connect };
    match timeout(patience, TcpStream::connect(dst)).await {
        Ok(Ok(tcp)) => {
            let took_us = micros(begun.elapsed());
            connection.emit(Event::UpstreamConnected { connection: connection.id, took_us });
            Ok(Socket::new(tcp, connection.upstream.clone()))
        }
        Ok(Err(error)) => Err(Error::io(Side::Upstream, connection.orig_dst, error)),
        Err(_) => Err(Error::new(Side::Upstream, Kind::TimedOut, connection.orig_dst)),
    }
}
