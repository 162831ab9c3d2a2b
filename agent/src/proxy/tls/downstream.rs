//! TLS towards the child: what it asks for, and the answer.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use rustls::crypto::CryptoProvider;
use rustls::server::{
    Accepted, Acceptor, ClientHello, NoServerSessionStorage, ServerSessionMemoryCache, StoresServerSessions,
};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CipherSuite, NamedGroup, ServerConfig, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;

use super::alert::{self, Answer};
use super::unusable;
use crate::proxy::connection::Connection;
use crate::proxy::error::{Error, Kind, Side};
use crate::proxy::io::{Rewind, Socket};

/// How many sessions are kept for resumption.
const SESSIONS: usize = 4096;

/// Room for the usual ClientHello; more is made as needed.
const ROOM: usize = 4 * 1024;
/// The cipher suites of TLS 1.2 with ECDSA that rustls speaks.
const ECDSA_SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// What TLS connections of the child share.
pub(crate) struct Downstream {
    provider: Arc<CryptoProvider>,
    sessions: Arc<dyn StoresServerSessions>,
}

impl Downstream {
    /// Connections with sessions that can be resumed.
    pub(crate) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, sessions: ServerSessionMemoryCache::new(SESSIONS) }
    }

    /// Shows `leaf` and offers `alpn`. A session with a server whose certificate is bad is neither kept nor resumed:
    /// resumption would hide the bad certificate.
    fn config(
        &self,
        leaf: Arc<CertifiedKey>,
        verified: bool,
        alpn: Option<Vec<u8>>,
    ) -> Result<Arc<ServerConfig>, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(leaf)));
        config.alpn_protocols = alpn.into_iter().collect();
        config.session_storage =
            if verified { Arc::clone(&self.sessions) } else { Arc::new(NoServerSessionStorage {}) };
        Ok(Arc::new(config))
    }
}

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

/// Reads from `io` until the ClientHello is complete, in however many records it comes. All that was read is in `seen`.
async fn accept(io: &mut Rewind<Socket>, seen: &mut BytesMut) -> io::Result<Accepted> {
    let mut acceptor = Acceptor::default();
    loop {
        let start = seen.len();
        seen.reserve(ROOM);
        if io.read_buf(seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = &seen[start..];
        while !rest.is_empty() {
            acceptor.read_tls(&mut rest)?;
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => {
                    io.unread(rest);
                    let end = seen.len() - rest.len();
                    seen.truncate(end);
                    return Ok(accepted);
                }
                Err((error, mut alert)) => {
                    let mut record = Vec::new();
                    alert.write_all(&mut record)?;
                    io.write_all(&record).await?;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
    }
}

/// Whether the client cannot use our usual leaf, which has a P-256 key: it does not verify such signatures, or, short of
/// TLS 1.3, has no cipher suite or curve for them (RFC 8422 section 5.1).
fn needs_rsa(hello: &ClientHello<'_>) -> bool {
    let is_tls13 = hello.cipher_suites().iter().any(|suite| u16::from(*suite) >> 8 == 0x13);
    let has_suite = || hello.cipher_suites().iter().any(|suite| ECDSA_SUITES.contains(suite));
    let has_curve = || hello.named_groups().is_none_or(|groups| groups.contains(&NamedGroup::secp256r1));
    let verifies = hello.signature_schemes().contains(&SignatureScheme::ECDSA_NISTP256_SHA256);
    !verifies || !is_tls13 && !(has_suite() && has_curve())
}

async fn in_time<T>(connection: &Connection, step: impl Future<Output = io::Result<T>>) -> Result<T, Error> {
    let peer = connection.peer(Side::Downstream);
    match timeout(connection.proxy.timeouts.handshake, step).await {
        Ok(done) => done.map_err(|error| Error::io(Side::Downstream, peer, error)),
        Err(_) => Err(Error::new(Side::Downstream, Kind::TimedOut, peer)),
    }
}
