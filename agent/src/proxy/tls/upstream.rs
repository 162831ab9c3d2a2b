//! TLS towards the server, with the child's server name and protocols.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, KeyLog, NamedGroup, ProtocolVersion};
use tokio::io::AsyncBufRead as _;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::authority::Day;
use super::identity::{Identities, observed};
use super::leaves::Wanted;
use super::offer::Offer;
use super::unusable;
use super::verify::{Deferred, Flaw, Roots, Standing};
use crate::engine::event::Event;
use crate::proxy::ClientCertificate;
use crate::proxy::connection::Connection;
use crate::proxy::dial::dial;
use crate::proxy::error::{Error, Kind, Side};
use crate::proxy::io::Socket;

/// How many sessions are kept for resumption; a server has at most eight.
const SESSIONS: usize = 8 * 1024;
/// How much longer than a handshake a server may take to object that the client has no certificate.
const OBJECTION: Duration = Duration::from_millis(100);

/// What TLS connections to servers share.
pub(crate) struct Upstream {
    classical: ClientConfig,
    post_quantum: ClientConfig,
    identities: Identities,
    roots: Roots,
}

impl Upstream {
    /// Connections that trust `roots` and show `certificates` to those who ask.
    pub(crate) fn new(
        provider: Arc<CryptoProvider>,
        roots: Vec<CertificateDer<'static>>,
        certificates: Vec<ClientCertificate>,
        key_log: Arc<dyn KeyLog>,
    ) -> Result<Self, Error> {
        let verifier = Arc::new(Deferred(Arc::clone(&provider)));
        let mut classical = ClientConfig::builder_with_provider(Arc::new(without_post_quantum(&provider)))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<_>)
            .with_no_client_auth();
        classical.resumption = Resumption::in_memory_sessions(SESSIONS);
        classical.key_log = Arc::clone(&key_log);
        let mut post_quantum = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        post_quantum.resumption = classical.resumption.clone();
        post_quantum.key_log = key_log;
        let identities = Identities::new(certificates, &provider)?;
        Ok(Self { classical, post_quantum, identities, roots: Roots::new(provider, roots) })
    }

    fn config(&self, target: &Target) -> Arc<ClientConfig> {
        let mut config = if target.is_post_quantum { self.post_quantum.clone() } else { self.classical.clone() };
        config.alpn_protocols.clone_from(&target.alpn);
        config.client_auth_cert_resolver = self.identities.of(&target.name.to_str());
        Arc::new(config)
    }
}

/// The provider for clients that do not offer post-quantum key exchange: a server is not offered what they do not.
fn without_post_quantum(provider: &CryptoProvider) -> CryptoProvider {
    let mut provider = provider.clone();
    provider.kx_groups.retain(|group| group.name() != NamedGroup::X25519MLKEM768);
    provider
}

/// What to ask a server for, and what it must then be: enough to connect to the same server once more.
pub(crate) struct Target {
    pub(crate) name: ServerName<'static>,
    pub(crate) alpn: Vec<Vec<u8>>,
    /// Whether post-quantum key exchange is offered.
    pub(crate) is_post_quantum: bool,
    /// The certificate must be good: the child was told that it is.
    pub(crate) verified: bool,
}

impl Target {
    /// The server that the child asks for; without a server name it is known by its address.
    pub(crate) fn new(connection: &Connection, offer: &Offer) -> Self {
        let named = offer.sni.as_ref().and_then(|name| ServerName::try_from(name.clone()).ok());
        let name = named.unwrap_or_else(|| ServerName::IpAddress(connection.orig_dst.ip().to_canonical().into()));
        Self { name, alpn: offer.alpn.clone(), is_post_quantum: offer.is_post_quantum, verified: false }
    }

    /// The server that a rule names, asked for `alpn` alone; none if TLS has no form for such a name.
    pub(crate) fn named(host: &str, alpn: &[u8], is_post_quantum: bool) -> Option<Self> {
        let name = ServerName::try_from(host.to_owned()).ok()?;
        Some(Self { name, alpn: vec![alpn.to_vec()], is_post_quantum, verified: true })
    }

    /// Dials, shakes hands, and judges.
    pub(crate) async fn connect(&self, connection: &Connection) -> Result<Session, Error> {
        let socket = dial(connection).await?;
        self.connect_on(connection, socket, connection.orig_dst).await
    }

    /// Shakes hands on `socket`, which leads to `peer`, and judges.
    pub(crate) async fn connect_on(
        &self,
        connection: &Connection,
        socket: Socket,
        peer: SocketAddr,
    ) -> Result<Session, Error> {
        let (stream, took) = self.shake(connection, socket, peer).await?;
        let roots = &connection.proxy.tls.upstream.roots;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let standing = match roots.judge(chain, &self.name) {
            Ok(()) => Standing::Good,
            Err(Flaw { reason, standing }) => {
                let name = self.name.to_str().into_owned();
                connection.emit(Event::CertificateRejected { connection: connection.id, name, reason });
                standing
            }
        };
        if self.verified && standing != Standing::Good {
            let error = Error::new(Side::Upstream, Kind::Tls, peer);
            return Err(error.because("its certificate is not good"));
        }
        Ok(Session { stream, standing, took })
    }

    async fn shake(
        &self,
        connection: &Connection,
        socket: Socket,
        peer: SocketAddr,
    ) -> Result<(TlsStream<Socket>, Duration), Error> {
        let config = connection.proxy.tls.upstream.config(self);
        let begun = Instant::now();
        let handshake = observed(TlsConnector::from(config).connect(self.name.clone(), socket));
        let Ok((stream, asked)) = timeout(connection.proxy.timeouts.handshake, handshake).await else {
            return Err(Error::new(Side::Upstream, Kind::TimedOut, peer));
        };
        let took = begun.elapsed();
        if let Some(used) = asked {
            let name = self.name.to_str().into_owned();
            connection.emit(Event::ClientCertificateRequested { connection: connection.id, name, used });
        }
        let mut stream = stream.map_err(|error| Error::io(Side::Upstream, peer, error))?;
        if asked == Some(false) && stream.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
            let objected = objection(&mut stream, took + OBJECTION).await;
            objected.map_err(|error| Error::io(Side::Upstream, peer, error))?;
        }
        Ok((stream, took))
    }
}

/// Waits for what a server has to say to a client without a certificate. In TLS 1.3 it says it after the handshake, by
/// which time the child's own would be over and no alert could be passed on. A session ticket is consent.
async fn objection(stream: &mut TlsStream<Socket>, patience: Duration) -> io::Result<()> {
    let heard = poll_fn(|cx| {
        let heard = Pin::new(&mut *stream).poll_fill_buf(cx).map_ok(drop);
        let has_ticket = stream.get_ref().1.tls13_tickets_received() > 0;
        if heard.is_pending() && has_ticket { Poll::Ready(Ok(())) } else { heard }
    });
    timeout(patience, heard).await.unwrap_or(Ok(()))
}

/// An open TLS connection to a server.
pub(crate) struct Session {
    pub(crate) stream: TlsStream<Socket>,
    pub(crate) standing: Standing,
    /// How long the handshake took.
    pub(crate) took: Duration,
}

impl Session {
    /// Whether the server's certificate was found good.
    pub(crate) fn is_verified(&self) -> bool {
        self.standing == Standing::Good
    }

    /// The protocol that the server chose.
    pub(crate) fn alpn(&self) -> Option<Vec<u8>> {
        self.stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec)
    }

    /// The server's certificates, DER, its own first.
    pub(crate) fn certificates(&self) -> Vec<Bytes> {
        let chain = self.stream.get_ref().1.peer_certificates().unwrap_or_default();
        chain.iter().map(|certificate| Bytes::copy_from_slice(certificate)).collect()
    }

    /// The leaf that stands for this server.
    pub(crate) fn wanted(&self, target: &Target, needs_rsa: bool) -> Wanted {
        let chain = self.stream.get_ref().1.peer_certificates().unwrap_or_default();
        Wanted {
            name: target.name.clone(),
            certificate: chain.first().cloned().unwrap_or_else(|| CertificateDer::from(Vec::new())),
            standing: self.standing,
            needs_rsa,
            day: Day::today(),
        }
    }
}
