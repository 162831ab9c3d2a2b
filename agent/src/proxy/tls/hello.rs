//! The child's ClientHello: read, not answered. It can be given back as it was, refused, or answered.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use rustls::server::Accepted;
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;

use super::alert::{self, Answer};
use super::offer::{Offer, Reader, Refused};
use crate::proxy::connection::Connection;
use crate::proxy::error::{Error, Kind, Side};
use crate::proxy::io::{Rewind, Socket};

/// Room for the usual ClientHello; more is made as needed.
const ROOM: usize = 4 * 1024;

/// A connection whose ClientHello was read and not yet answered.
pub(crate) struct Hello {
    pub(crate) offer: Offer,
    seen: BytesMut,
    start: StartHandshake<Rewind<Socket>>,
}

impl Hello {
    /// Reads the ClientHello.
    pub(crate) async fn read(connection: &Connection, mut io: Rewind<Socket>) -> Result<Self, Error> {
        let mut seen = BytesMut::with_capacity(ROOM);
        let accepted = in_time(connection, accept(&mut io, &mut seen)).await?;
        Ok(Self { offer: Offer::of(&accepted), seen, start: StartHandshake::from_parts(accepted, io) })
    }

    /// The stream as it was before anything of it was read.
    pub(crate) fn rewind(self) -> Rewind<Socket> {
        let mut io = self.start.io;
        io.unread(&self.seen);
        io
    }

    /// Answers with `leaf` and `alpn`, and finishes the handshake.
    pub(crate) async fn accept(
        self,
        connection: &Connection,
        leaf: Arc<CertifiedKey>,
        verified: bool,
        alpn: Option<Vec<u8>>,
    ) -> Result<TlsStream<Rewind<Socket>>, Error> {
        let config = connection.proxy.tls.downstream.config(leaf, verified, alpn)?;
        in_time(connection, self.start.into_stream(config)).await
    }

    /// Passes on why the server could not be spoken to: its alert, its end, or a reset. Returns `error`.
    pub(crate) async fn refuse(mut self, connection: &Connection, error: Error) -> Error {
        let io = &mut self.start.io;
        let sent = async {
            match alert::answer(&error) {
                Answer::Alert(record) => io.write_all(&record).await?,
                Answer::Close => {}
                Answer::Reset => {
                    connection.downstream.reset();
                    return Ok(());
                }
            }
            io.shutdown().await
        };
        if let Err(lost) = sent.await {
            tracing::debug!(%lost, "the child left before it could be told");
        }
        error
    }
}

/// Reads from `io` until the ClientHello is complete, in however many records it comes. All that was read of it is in
/// `seen`.
async fn accept(io: &mut Rewind<Socket>, seen: &mut BytesMut) -> io::Result<Accepted> {
    let mut reader = Reader::default();
    loop {
        let start = seen.len();
        seen.reserve(ROOM);
        if io.read_buf(seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = &seen[start..];
        match reader.feed(&mut rest) {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                io.unread(rest);
                let end = seen.len() - rest.len();
                seen.truncate(end);
                return Ok(accepted);
            }
            Err(Refused { error, alert }) => {
                io.write_all(&alert).await?;
                return Err(error);
            }
        }
    }
}

async fn in_time<T>(connection: &Connection, step: impl Future<Output = io::Result<T>>) -> Result<T, Error> {
    let peer = connection.peer(Side::Downstream);
    match timeout(connection.proxy.timeouts.handshake, step).await {
        Ok(done) => done.map_err(|error| Error::io(Side::Downstream, peer, error)),
        Err(_) => Err(Error::new(Side::Downstream, Kind::TimedOut, peer)),
    }
}
