//! Accepts connections until told to drain. It outlives a shortage of descriptors and opens no more connections than
//! it may.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::Proxy;
use super::connection::Accepted;

/// How long accepting pauses when descriptors or memory are short.
const PAUSE: Duration = Duration::from_millis(50);
/// How long nothing more is said of connections that wait.
const SILENCE: Duration = Duration::from_secs(10);

/// Accepts from `listener` until `drain` is true, then waits until the connections have ended.
pub(crate) async fn serve(proxy: Arc<Proxy>, listener: TcpListener, mut drain: watch::Receiver<bool>) {
    let stop = drain.clone();
    tokio::select! {
        () = accept(&proxy, &listener, &stop) => {}
        _ = drain.wait_for(|drain| *drain) => {}
    }
    drop(listener);
    // Every connection holds one slot: whoever has them all knows that none is left.
    let all = proxy.max_connections;
    if let Err(closed) = proxy.slots.acquire_many(all).await {
        tracing::debug!(%closed, "the proxy is gone");
    }
}

async fn accept(proxy: &Arc<Proxy>, listener: &TcpListener, drain: &watch::Receiver<bool>) {
    let mut said = None;
    loop {
        say_if_full(proxy, &mut said);
        let Ok(slot) = Arc::clone(&proxy.slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((tcp, child)) => start(proxy, Accepted { tcp, child }, slot, drain),
            Err(error) => rest(&error).await,
        }
    }
}

/// Says that the next connection waits, but not again for every one that does.
fn say_if_full(proxy: &Proxy, said: &mut Option<Instant>) {
    let is_time = said.is_none_or(|said| said.elapsed() > SILENCE);
    if is_time && proxy.slots.available_permits() == 0 {
        tracing::warn!(open = proxy.max_connections, "no more connections can be open: the next ones wait");
        *said = Some(Instant::now());
    }
}

fn start(proxy: &Arc<Proxy>, accepted: Accepted, slot: OwnedSemaphorePermit, drain: &watch::Receiver<bool>) {
    if let Some((connection, socket)) = accepted.join(proxy, slot, drain) {
        tokio::spawn(connection.run(socket));
    }
}

/// An error of one connection is over with it; any other would come again at once.
async fn rest(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tokio::time::sleep(PAUSE).await;
    }
}
