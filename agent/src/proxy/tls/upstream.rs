//! TLS towards the server, with the child's server name and protocols.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::leaves::Wanted;
use super::unusable;
use super::verify::{Deferred, Roots};
use crate::engine::event::Event;
use crate::proxy::connection::Connection;
use crate::proxy::dial::dial;
use crate::proxy::error::{Error, Kind, Side};
use crate::proxy::io::Socket;

/// What TLS connections to servers share.
pub(crate) struct Upstream {
    config: ClientConfig,
    roots: Roots,
}

impl Upstream {
    /// Connections that trust `roots` besides the system's.
    pub(crate) fn new(provider: Arc<CryptoProvider>, roots: Vec<CertificateDer<'static>>) -> Result<Self, Error> {
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Deferred(Arc::clone(&provider))))
            .with_no_client_auth();
        Ok(Self { config, roots: Roots::new(provider, roots) })
    }

    fn config(&self, alpn: &[Vec<u8>]) -> Arc<ClientConfig> {
        let mut config = self.config.clone();
        config.alpn_protocols = alpn.to_vec();
        Arc::new(config)
    }
}

/// What to ask a server for, and what it must then be: enough to connect to the same server once more.
pub(crate) struct Target {
    pub(crate) name: ServerName<'static>,
    pub(crate) alpn: Vec<Vec<u8>>,
    /// The certificate must be good: the child was told that it is.
    pub(crate) verified: bool,
}

impl Target {
    /// The server that the child asks for; without a server name it is known by its address.
    pub(crate) fn new(connection: &Connection, sni: Option<&str>, alpn: Vec<Vec<u8>>) -> Self {
        let named = sni.and_then(|name| ServerName::try_from(name.to_owned()).ok());
        let name = named.unwrap_or_else(|| ServerName::IpAddress(connection.orig_dst.ip().to_canonical().into()));
        Self { name, alpn, verified: false }
    }

    /// Dials and shakes hands.
    pub(crate) async fn connect(&self, connection: &Connection) -> Result<Session, Error> {
        let tls = &connection.proxy.tls.upstream;
        let socket = dial(connection).await?;
        let peer = connection.orig_dst;
        let handshake = TlsConnector::from(tls.config(&self.alpn)).connect(self.name.clone(), socket);
        let stream = match timeout(connection.proxy.timeouts.handshake, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Error::io(Side::Upstream, peer, error)),
            Err(_) => return Err(Error::new(Side::Upstream, Kind::TimedOut, peer)),
        };
        let judged = tls.roots.judge(stream.get_ref().1.peer_certificates().unwrap_or_default(), &self.name).await;
        let verified = judged.is_ok();
        if let Err(reason) = judged {
            let name = self.name.to_str().into_owned();
            connection.emit(Event::CertificateRejected { connection: connection.id, name, reason });
        }
        if self.verified && !verified {
            return Err(Error::new(Side::Upstream, Kind::Tls, peer).because("its certificate is no longer good"));
        }
        Ok(Session { stream, verified })
    }
}

/// An open TLS connection to a server.
pub(crate) struct Session {
    pub(crate) stream: TlsStream<Socket>,
    pub(crate) verified: bool,
}

impl Session {
    /// The protocol that the server chose.
    pub(crate) fn alpn(&self) -> Option<Vec<u8>> {
        self.stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec)
    }

    /// The leaf that stands for this server.
    pub(crate) fn wanted(&self, target: &Target) -> Wanted {
        let shown = self.stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        Wanted {
            name: target.name.clone(),
            certificate: shown.cloned().unwrap_or_else(|| CertificateDer::from(Vec::new())),
            verified: self.verified,
        }
    }
}
