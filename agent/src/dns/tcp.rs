//! The child's side over TCP (RFC 7766): several queries on one connection, answered in whatever order they can be.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::upstream::{read_frame, write_frame};
use super::{Forwarder, Transport};

/// How long a connection is kept without a query, and a response without being taken.
const IDLE: Duration = Duration::from_secs(10);
/// How many queries of one connection are worked on at once; more are read when some are answered.
const PIPELINED: usize = 32;
/// How long to wait after a failure to accept, which is mostly a lack of descriptors.
const PAUSE: Duration = Duration::from_millis(20);

/// Serves the connections that arrive at `listener`, as many at once as the forwarder allows.
pub(super) async fn serve(forwarder: Arc<Forwarder>, listener: TcpListener) {
    loop {
        let slot = Arc::clone(&forwarder.connections).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, child)) => {
                let forwarder = Arc::clone(&forwarder);
                tokio::spawn(async move {
                    let _slot = slot;
                    if let Err(error) = connection(forwarder, stream, child).await {
                        tracing::debug!(%error, %child, "DNS over TCP ended");
                    }
                });
            }
            Err(error) => {
                tracing::debug!(%error, "cannot accept DNS over TCP");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Answers queries until the child sends no more; what is being worked on then is still answered.
async fn connection(forwarder: Arc<Forwarder>, stream: TcpStream, child: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, writer) = stream.into_split();
    let writer = Arc::new(Mutex::new(writer));
    let mut answers = JoinSet::new();
    while let Some(query) = next(&mut reader, &mut answers).await? {
        answers.spawn(answer(Arc::clone(&forwarder), Arc::clone(&writer), query, child));
    }
    while let Some(ended) = answers.join_next().await {
        ended??;
    }
    Ok(())
}

/// The next query; `None` if the child has no more. A connection is not idle while a query is being worked on.
async fn next(reader: &mut OwnedReadHalf, answers: &mut JoinSet<io::Result<()>>) -> io::Result<Option<Vec<u8>>> {
    while answers.len() >= PIPELINED {
        if let Some(ended) = answers.join_next().await {
            ended??;
        }
    }
    let mut frame = std::pin::pin!(read_frame(reader));
    loop {
        tokio::select! {
            frame = &mut frame => return frame,
            Some(ended) = answers.join_next() => ended??,
            () = tokio::time::sleep(IDLE), if answers.is_empty() => return Ok(None),
        }
    }
}

async fn answer(
    forwarder: Arc<Forwarder>,
    writer: Arc<Mutex<OwnedWriteHalf>>,
    query: Vec<u8>,
    child: SocketAddr,
) -> io::Result<()> {
    let Some(response) = forwarder.answer(&query, child, Transport::Tcp).await else { return Ok(()) };
    let mut writer = writer.lock().await;
    timeout(IDLE, write_frame(&mut *writer, &response)).await?
}
