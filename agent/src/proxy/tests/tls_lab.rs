//! TLS clients and origins that differ from the usual: by version, key exchange, names, or what they ask for.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, HandshakeKind, KeyLog, NamedGroup, NoKeyLog, RootCertStore, ServerConfig, SupportedProtocolVersion,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::lab::*;
use crate::proxy::io::Io;
use crate::proxy::*;

pub(super) type Versions = &'static [&'static SupportedProtocolVersion];

pub(super) const VERSIONS: [Versions; 2] = [&[&TLS12], &[&TLS13]];

/// TLS 1.3.
pub(super) const NEW: Versions = VERSIONS[1];

/// TLS 1.2 and 1.3.
pub(super) const EITHER: Versions = &[&TLS12, &TLS13];

/// What an origin noticed of a connection.
#[derive(Clone, Debug)]
pub(super) struct Noticed {
    pub(super) kind: HandshakeKind,
    pub(super) group: NamedGroup,
    pub(super) has_client_certificate: bool,
}

/// An origin's settings.
pub(super) struct Origin {
    pub(super) versions: Versions,
    pub(super) names: &'static [&'static str],
    pub(super) clients: Arc<dyn ClientCertVerifier>,
    pub(super) keys: Arc<dyn KeyLog>,
}

impl Default for Origin {
    fn default() -> Self {
        let clients = Arc::new(NoClientAuth);
        Self { versions: EITHER, names: &[NAME, "127.0.0.1"], clients, keys: Arc::new(NoKeyLog) }
    }
}

impl Origin {
    /// An origin that asks for certificates of `root`, and insists or not.
    pub(super) fn asking(versions: Versions, root: &Authority, insists: bool) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        let clients = if insists { builder } else { builder.allow_unauthenticated() }.build().unwrap();
        Self { versions, clients, ..Self::default() }
    }

    fn config(self, root: &Authority) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = self.names.iter().map(|&name| name.to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, root).unwrap();
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_client_cert_verifier(self.clients)
            .with_single_cert(vec![certificate.into()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        config.key_log = self.keys;
        config
    }

    /// Serves HTTP/1.1; returns the address and what is noticed.
    pub(super) async fn serve(self, root: &Authority) -> (SocketAddr, Arc<Mutex<Vec<Noticed>>>) {
        let acceptor = TlsAcceptor::from(Arc::new(self.config(root)));
        let noticed = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&noticed);
        let address = origin(move |tcp| {
            let (acceptor, notes) = (acceptor.clone(), Arc::clone(&notes));
            async move {
                let Ok(tls) = acceptor.accept(tcp).await else { return };
                notes.lock().unwrap().push(notice(tls.get_ref().1));
                serve_echo(Box::new(tls), false).await;
            }
        })
        .await;
        (address, noticed)
    }

    /// Says `banner` to everyone.
    pub(super) async fn greet(self, root: &Authority, banner: &'static str) -> SocketAddr {
        let acceptor = TlsAcceptor::from(Arc::new(self.config(root)));
        origin(move |tcp| {
            let acceptor = acceptor.clone();
            async move {
                let mut tls = acceptor.accept(tcp).await.unwrap();
                tls.write_all(banner.as_bytes()).await.unwrap();
                tls.shutdown().await.unwrap();
            }
        })
        .await
    }
}

fn notice(session: &rustls::ServerConnection) -> Noticed {
    Noticed {
        kind: session.handshake_kind().unwrap(),
        group: group(session),
        has_client_certificate: session.peer_certificates().is_some(),
    }
}

/// The group of the key exchange; a session of TLS 1.2 that is resumed has none.
fn group(session: &rustls::CommonState) -> NamedGroup {
    session.negotiated_key_exchange_group().map_or(NamedGroup::Unknown(0), SupportedKxGroup::name)
}

/// A client certificate of `root` for `host`.
pub(super) fn identity(root: &Authority, host: &str) -> ClientCertificate {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["client.example".to_owned()]).unwrap().signed_by(&key, root).unwrap();
    ClientCertificate {
        host: host.parse().unwrap(),
        chain: vec![certificate.der().to_vec()],
        key_pem: key.serialize_pem(),
    }
}

/// A client of `versions` that trusts `roots`.
pub(super) fn client(roots: &[&CertificateDer<'static>], versions: Versions) -> ClientConfig {
    let mut store = RootCertStore::empty();
    roots.iter().for_each(|root| store.add((*root).clone()).unwrap());
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth()
}

/// Shakes hands over `io`.
pub(super) async fn shake<T: Io>(config: &Arc<ClientConfig>, name: &'static str, io: T) -> io::Result<TlsStream<T>> {
    let name = ServerName::try_from(name).unwrap();
    TlsConnector::from(Arc::clone(config)).connect(name, io).await
}

/// Shakes hands with the lab and exchanges something; returns the connection's end of it.
pub(super) async fn exchange(lab: &Lab, config: &Arc<ClientConfig>, name: &'static str) -> Session {
    let tls = shake(config, name, lab.tcp().await).await.unwrap();
    exchange_on(tls).await
}

/// What a client knows of a connection.
pub(super) struct Session {
    pub(super) kind: HandshakeKind,
    pub(super) version: rustls::ProtocolVersion,
    pub(super) group: NamedGroup,
}

/// Exchanges something over `tls`.
pub(super) async fn exchange_on<T: Io + 'static>(tls: TlsStream<T>) -> Session {
    let session = tls.get_ref().1;
    let session = Session {
        kind: session.handshake_kind().unwrap(),
        version: session.protocol_version().unwrap(),
        group: group(session),
    };
    let response = Client::new(Box::new(tls), false).await.send(post(full("hi"), false)).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hi");
    session
}

/// A TCP connection that sends a byte at a time.
pub(super) struct Trickle(pub(super) TcpStream);

impl AsyncRead for Trickle {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Trickle {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, &buf[..buf.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
