//! TLS towards the child: what it asks for, and the answer.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{Acceptor, NoServerSessionStorage, ServerSessionMemoryCache, StoresServerSessions};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use super::{alert, unusable};
use crate::proxy::connection::Connection;
use crate::proxy::error::{Error, Kind, Side};
use crate::proxy::io::{Rewind, Socket};

/// How many sessions are kept for resumption.
const SESSIONS: usize = 4096;

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
    start: StartHandshake<Rewind<Socket>>,
}

impl Hello {
    /// Reads the ClientHello.
    pub(crate) async fn read(connection: &Connection, io: Rewind<Socket>) -> Result<Self, Error> {
        let reading = LazyConfigAcceptor::new(Acceptor::default(), io);
        let start = in_time(connection, reading).await?;
        let hello = start.client_hello();
        let alpn = hello.alpn().map(|names| names.map(<[u8]>::to_vec).collect()).unwrap_or_default();
        Ok(Self { sni: hello.server_name().map(str::to_owned), alpn, start })
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

    /// Passes on why the server could not be reached: its alert, or a reset if it never spoke TLS. Returns `error`.
    pub(crate) async fn refuse(mut self, connection: &Connection, error: Error) -> Error {
        if error.kind != Kind::Tls {
            connection.downstream.reset();
            return error;
        }
        let io = &mut self.start.io;
        let sent = async {
            io.write_all(&alert::record(&error)).await?;
            io.shutdown().await
        };
        if let Err(lost) = sent.await {
            tracing::debug!(%lost, "the child left before it could be told");
        }
        error
    }
}

async fn in_time<T>(connection: &Connection, step: impl Future<Output = io::Result<T>>) -> Result<T, Error> {
    let peer = connection.peer(Side::Downstream);
    match timeout(connection.proxy.timeouts.handshake, step).await {
        Ok(done) => done.map_err(|error| Error::io(Side::Downstream, peer, error)),
        Err(_) => Err(Error::new(Side::Downstream, Kind::TimedOut, peer)),
    }
}
