//! How a connection begins: its first bytes say what it is. While the child is silent the server is dialled, for it may
//! be the one who speaks first, and is kept for whatever the child speaks later. Where nothing may be relayed, only the
//! child is listened to.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::connection::Connection;
use super::dial::dial;
use super::error::Error;
use super::first_bytes::{First, FirstBytes};
use super::io::{Rewind, Socket};
use crate::engine::policy::{Content, Relay};
use crate::engine::wire::sniff::Sniff;

/// How long the child may take before the server is dialled: clients that speak first do so at once.
const HEAD_START: Duration = Duration::from_millis(20);

/// What a connection turned out to be.
pub(crate) enum Opening {
    /// The child spoke first, or ended.
    Child(Sniff, Rewind<Socket>),
    /// The server spoke first, or ended.
    Server(Rewind<Socket>, Rewind<Socket>),
    /// The child ended without a word, and nothing may be relayed.
    Nothing,
}

/// Waits for the first words. Silence on both sides lasts as long as both want.
///
/// # Errors
/// The server cannot be reached and the child still says nothing.
pub(crate) async fn open(connection: &Arc<Connection>, mut child: Socket) -> Result<Opening, Error> {
    let patience = connection.proxy.timeouts.sniff;
    let relay = connection.judge_relay(Content::Other);
    let may_relay = matches!(relay, Relay::Permitted(_));
    let mut first = FirstBytes::default();
    let spoken = match timeout(HEAD_START, first.child(&mut child, patience)).await {
        Ok(spoken) => spoken,
        Err(_) if may_relay && first.is_silent() => return both(connection, child, first).await,
        Err(_) => first.child(&mut child, patience).await,
    };
    if first.is_silent() && matches!(relay, Relay::Refused) {
        return Ok(Opening::Nothing);
    }
    Ok(Opening::Child(spoken, first.rewind(child, ()).0))
}

/// Dials the server and listens to both.
async fn both(connection: &Arc<Connection>, mut child: Socket, mut first: FirstBytes) -> Result<Opening, Error> {
    let patience = connection.proxy.timeouts.sniff;
    let mut dialling = pin!(dial(connection));
    let (dialled, spoken) = tokio::select! {
        biased;
        // Who has begun to dial dials to the end: the server may have seen it already.
        spoken = first.child(&mut child, patience) => (dialling.as_mut().await, Some(spoken)),
        dialled = dialling.as_mut() => (dialled, None),
    };
    let mut server = match (dialled, spoken) {
        (Ok(server), None) => server,
        (dialled, Some(spoken)) => {
            connection.keep(dialled);
            return Ok(Opening::Child(spoken, first.rewind(child, ()).0));
        }
        // One who speaks HTTP can be told why.
        (Err(error), None) => {
            return match timeout(patience, first.child(&mut child, patience)).await {
                Ok(spoken) => {
                    connection.keep(Err(error));
                    Ok(Opening::Child(spoken, first.rewind(child, ()).0))
                }
                Err(_) => {
                    connection.downstream.reset();
                    Err(error)
                }
            };
        }
    };
    match first.either(&mut child, &mut server, patience).await {
        First::Child(spoken) => {
            connection.keep(Ok(server));
            Ok(Opening::Child(spoken, first.rewind(child, ()).0))
        }
        First::Server => {
            let (child, server) = first.rewind(child, server);
            Ok(Opening::Server(child, server))
        }
    }
}
