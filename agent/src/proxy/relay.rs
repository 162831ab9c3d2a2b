//! Forwards bytes unread, both ways at once: an end of one direction is passed on as an end of that direction, a reset
//! as a reset.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, copy_bidirectional_with_sizes};

use super::connection::Connection;
use super::dial::dial;
use super::error::{Error, Side};
use super::io::{Io, Rewind};
use crate::engine::event::Event;
use crate::engine::policy::{ConnPermit, Content, Relay};

const BUFFER: usize = 128 * 1024;

/// Forwards `downstream` to its original destination if the policy permits, or somebody who is asked.
pub(crate) async fn relay(connection: &Arc<Connection>, downstream: impl Io, content: Content) -> Result<(), Error> {
    relay_over(connection, downstream, content, async || dial(connection).await).await
}

/// Forwards between two open streams if the policy permits, or somebody who is asked.
pub(crate) async fn relay_to(
    connection: &Arc<Connection>,
    downstream: impl Io,
    upstream: impl Io,
) -> Result<(), Error> {
    relay_over(connection, downstream, Content::Other, async || Ok(upstream)).await
}

/// Forwards `downstream` to what `connect` gives, if the policy permits, or somebody who is asked.
pub(crate) async fn relay_over<U: Io>(
    connection: &Arc<Connection>,
    downstream: impl Io,
    content: Content,
    connect: impl AsyncFnOnce() -> Result<U, Error>,
) -> Result<(), Error> {
    let Some((permit, downstream)) = permit(connection, content, downstream).await else { return Ok(()) };
    let upstream = connect().await.inspect_err(|_| connection.downstream.reset())?;
    join(connection, permit, content, downstream, upstream).await
}

/// Forwards TLS unread to its original destination.
pub(crate) async fn pass_through(
    connection: &Arc<Connection>,
    _: ConnPermit,
    (host, content): (String, Content),
    downstream: impl Io,
) -> Result<(), Error> {
    connection.account_relay(content, true);
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

/// Lets a connection pass, with what its child has said meanwhile, or resets it.
async fn permit<D: Io>(
    connection: &Connection,
    content: Content,
    mut downstream: D,
) -> Option<(ConnPermit, Rewind<D>)> {
    let mut said = BytesMut::new();
    let permit = match connection.judge_relay(content) {
        Relay::Permitted(permit) => Some(permit),
        Relay::Asked { rule, ask } => {
            let asking = async {
                tokio::select! {
                    permit = connection.ask_relay(rule, ask) => permit,
                    // Whoever waited no longer does.
                    () = left(&mut downstream, &mut said) => None,
                    () = connection.drained() => None,
                }
            };
            // Most connections are never asked about, and need no room for it.
            Box::pin(asking).await
        }
        Relay::Refused => None,
    };
    connection.account_relay(content, permit.is_some());
    if permit.is_none() {
        connection.emit(Event::RelayRefused { connection: connection.id, reason: content.name() });
        connection.reset();
    }
    permit.map(|permit| (permit, Rewind::new(said.freeze(), downstream)))
}

/// Returns when the child breaks off. What it says until then is kept in `said`, up to [`BUFFER`].
async fn left(downstream: &mut impl Io, said: &mut BytesMut) {
    while said.len() < BUFFER {
        match downstream.read_buf(said).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(_) => return,
        }
    }
    std::future::pending::<()>().await;
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
