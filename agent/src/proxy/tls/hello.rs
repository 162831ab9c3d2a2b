//! The child's ClientHello: read, not answered, and what it says. It can be given back as it was, refused, or answered.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use rustls::server::{Accepted, Acceptor, ClientHello};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, NamedGroup, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;

use super::alert::{self, Answer};
use crate::proxy::connection::Connection;
use crate::proxy::error::{Error, Kind, Side};
use crate::proxy::io::{Rewind, Socket};

/// Room for the usual ClientHello; more is made as needed.
const ROOM: usize = 4 * 1024;
/// The cipher suites of TLS 1.2 with ECDSA that rustls speaks.
const ECDSA_SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// A connection whose ClientHello was read and not yet answered.
pub(crate) struct Hello {
    pub(crate) sni: Option<String>,
    pub(crate) alpn: Vec<Vec<u8>>,
    /// Only an RSA certificate will do.
    pub(crate) needs_rsa: bool,
    /// Post-quantum key exchange is offered.
    pub(crate) is_post_quantum: bool,
    seen: BytesMut,
    start: StartHandshake<Rewind<Socket>>,
}

impl Hello {
    /// Reads the ClientHello.
    pub(crate) async fn read(connection: &Connection, mut io: Rewind<Socket>) -> Result<Self, Error> {
        let mut seen = BytesMut::with_capacity(ROOM);
        let accepted = in_time(connection, accept(&mut io, &mut seen)).await?;
        let hello = accepted.client_hello();
        let alpn = hello.alpn().map(|names| names.map(<[u8]>::to_vec).collect()).unwrap_or_default();
        let groups = hello.named_groups().unwrap_or_default();
        Ok(Self {
            sni: hello.server_name().map(str::to_owned),
            alpn,
            needs_rsa: needs_rsa(&hello),
            is_post_quantum: groups.contains(&NamedGroup::X25519MLKEM768),
            seen,
            start: StartHandshake::from_parts(accepted, io),
        })
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
    let mut acceptor = Acceptor::default();
    loop {
        let start = seen.len();
        seen.reserve(ROOM);
        if io.read_buf(seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = &seen[start..];
        match feed(&mut acceptor, &mut rest) {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                io.unread(rest);
                let end = seen.len() - rest.len();
                seen.truncate(end);
                return Ok(accepted);
            }
            Err((error, alert)) => {
                io.write_all(&alert).await?;
                return Err(error);
            }
        }
    }
}

/// Gives the acceptor of `rest` what it takes. An error comes with the alert to send.
fn feed(acceptor: &mut Acceptor, rest: &mut &[u8]) -> Result<Option<Accepted>, (io::Error, Vec<u8>)> {
    while !rest.is_empty() {
        acceptor.read_tls(rest).map_err(|error| (error, Vec::new()))?;
        match acceptor.accept() {
            Ok(None) => {}
            Ok(accepted) => return Ok(accepted),
            Err((error, mut alert)) => {
                let mut record = Vec::new();
                let error = io::Error::new(io::ErrorKind::InvalidData, error);
                return Err((alert.write_all(&mut record).err().unwrap_or(error), record));
            }
        }
    }
    Ok(None)
}

/// Whether the client cannot use our usual leaf, which has a P-256 key: it does not verify such signatures, or, short of
/// TLS 1.3, has no cipher suite or curve for them (RFC 8422 section 5.1).
fn needs_rsa(hello: &ClientHello<'_>) -> bool {
    let is_tls13 = hello.cipher_suites().iter().any(|suite| u16::from(*suite) >> 8 == 0x13);
    let has_suite = || hello.cipher_suites().iter().any(|suite| ECDSA_SUITES.contains(suite));
    let has_curve = || hello.named_groups().is_none_or(|groups| groups.contains(&NamedGroup::secp256r1));
    let verifies = hello.signature_schemes().contains(&SignatureScheme::ECDSA_NISTP256_SHA256);
    !verifies || !(is_tls13 || has_suite() && has_curve())
}

async fn in_time<T>(connection: &Connection, step: impl Future<Output = io::Result<T>>) -> Result<T, Error> {
    let peer = connection.peer(Side::Downstream);
    match timeout(connection.proxy.timeouts.handshake, step).await {
        Ok(done) => done.map_err(|error| Error::io(Side::Downstream, peer, error)),
        Err(_) => Err(Error::new(Side::Downstream, Kind::TimedOut, peer)),
    }
}
