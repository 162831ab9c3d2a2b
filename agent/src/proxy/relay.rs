//! Forwards bytes unread, both ways at once: an end of one direction is passed on as an end of that direction, a reset
//! as a reset.

use std::sync::Arc;

use tokio::io::copy_bidirectional_with_sizes;

use super::connection::Connection;
use super::dial::dial;
use super::error::{Error, Side};
use super::io::Io;
use crate::engine::event::Event;
use crate::engine::policy::{ConnPermit, Content};

const BUFFER: usize = 128 * 1024;

/// Forwards `downstream` to its original destination if the policy permits.
pub(crate) async fn relay(connection: &Arc<Connection>, downstream: impl Io, content: Content) -> Result<(), Error> {
    let Some(permit) = permit(connection, content) else { return Ok(()) };
    let upstream = dial(connection).await.inspect_err(|_| connection.downstream.reset())?;
    join(connection, permit, content, downstream, upstream).await
}

/// Forwards between two open streams if the policy permits.
pub(crate) async fn relay_to(
    connection: &Arc<Connection>,
    downstream: impl Io,
    upstream: impl Io,
) -> Result<(), Error> {
    let Some(permit) = permit(connection, Content::Other) else { return Ok(()) };
    join(connection, permit, Content::Other, downstream, upstream).await
}

/// Forwards TLS unread to its original destination.
pub(crate) async fn pass_through(
    connection: &Arc<Connection>,
    _: ConnPermit,
    (host, content): (String, Content),
    downstream: impl Io,
) -> Result<(), Error> {
    let upstream = dial(connection).await.inspect_err(|_| connection.downstream.reset())?;
    connection.emit(Event::PassedThrough { connection: connection.id, host, reason: content.name() });
    copy(connection, downstream, upstream).await.map(drop)
}

/// Copies both ways until both directions have ended; returns the bytes from and to the child. If either side fails,
/// both are reset.
pub(crate) async fn copy(
    connection: &Connection,
    mut downstream: impl Io,
    mut upstream: impl Io,
) -> Result<(u64, u64), Error> {
    let copied = copy_bidirectional_with_sizes(&mut downstream, &mut upstream, BUFFER, BUFFER).await;
    copied.map_err(|error| {
        let side = if connection.downstream.failed() { Side::Downstream } else { Side::Upstream };
        connection.reset();
        Error::io(side, connection.peer(side), error)
    })
}

fn permit(connection: &Connection, content: Content) -> Option<ConnPermit> {
    let permit = connection.permit_relay(content);
    if permit.is_none() {
        connection.emit(Event::RelayRefused { connection: connection.id, reason: content.name() });
        connection.reset();
    }
    permit
}

async fn join(
    connection: &Connection,
    _: ConnPermit,
    content: Content,
    downstream: impl Io,
    upstream: impl Io,
) -> Result<(), Error> {
    connection.emit(Event::Relayed { connection: connection.id, reason: content.name() });
    copy(connection, downstream, upstream).await.map(|_| ())
}
