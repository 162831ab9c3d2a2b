//! What the tests share: certificates, origins, the proxy under test, clients and the events it reported.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::engine::event::{Event, Sink};
use crate::engine::policy::{Carrier, Mode, OnPinned, Policy};
use crate::proxy::io::BoxedIo;
use crate::proxy::*;

pub(super) const NAME: &str = "origin.example";

pub(super) type Authority = CertifiedIssuer<'static, KeyPair>;

/// A root of a name of its own, and its key.
pub(super) fn authority() -> Authority {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, format!("root {}", NEXT.fetch_add(1, Ordering::Relaxed)));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// An origin on an ephemeral port. Each connection is handed to `serve`.
pub(super) async fn origin<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(serve(tcp));
        }
    });
    address
}

/// An origin that nobody listens at.
pub(super) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// An HTTPS origin that echoes bodies and trailers, with a certificate for [`NAME`] from `root`.
pub(super) async fn https(root: &Authority, alpn: &[&str]) -> SocketAddr {
    let acceptor = acceptor(root, alpn);
    origin(move |tcp| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(tls) = acceptor.accept(tcp).await {
                let is_h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
                serve_echo(Box::new(tls), is_h2).await;
            }
        }
    })
    .await
}

/// What makes TLS of an origin's connections, with a certificate for [`NAME`] from `root`.
pub(super) fn acceptor(root: &Authority, alpn: &[&str]) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([NAME.to_owned()]).unwrap().signed_by(&key, root).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key)
        .unwrap();
    config.alpn_protocols = protocols(alpn);
    TlsAcceptor::from(Arc::new(config))
}

/// Serves HTTP on `io`, echoing bodies and trailers; `/calm` resets its stream.
pub(super) async fn serve_echo(io: BoxedIo, is_h2: bool) {
    let echo = service_fn(|request: Request<Incoming>| async move {
        match request.uri().path() {
            "/calm" => Err(h2::Error::from(h2::Reason::ENHANCE_YOUR_CALM)),
            _ => Ok(Response::new(request.into_body())),
        }
    });
    let io = TokioIo::new(io);
    let served = if is_h2 {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, echo).await
    } else {
        hyper::server::conn::http1::Builder::new().serve_connection(io, echo).await
    };
    drop(served);
}

/// Events as they were reported.
#[derive(Default)]
struct Recorder(Mutex<Vec<Event>>);

impl Sink for Recorder {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

struct Kernel {
    verdict: Option<Verdict>,
    names: Mutex<Vec<String>>,
}

/// Nobody is there to be asked.
struct Nobody;

impl Approver for Nobody {
    fn ask(&self, _: Asking) -> std::pin::Pin<Box<dyn Future<Output = Option<bool>> + Send + '_>> {
        Box::pin(std::future::ready(None))
    }
}

impl Flows for Kernel {
    fn is_at(&self, _: &str, _: IpAddr) -> bool {
        true
    }

    fn process(&self, _: SocketAddr, _: SocketAddr) -> Option<Process> {
        None
    }

    fn lookup(&self, _: SocketAddr, local: SocketAddr) -> Option<(SocketAddr, Verdict)> {
        self.verdict.map(|verdict| (local, verdict))
    }

    fn name(&self, _: SocketAddr, _: SocketAddr, name: &str) {
        self.names.lock().unwrap().push(name.to_owned());
    }
}

/// What happens at a certain moment.
pub(super) type Hook = Box<dyn Fn() + Send + Sync>;

struct Routes {
    origin: SocketAddr,
    open: bool,
    asked: Option<Hook>,
}

impl Destinations for Routes {
    fn is_host_local(&self, _: IpAddr) -> bool {
        true
    }

    fn forbidden(&self, _: IpAddr) -> Option<&'static str> {
        (!self.open).then_some("loopback")
    }

    fn dialled(&self, _: SocketAddr) -> SocketAddr {
        self.asked.iter().for_each(|asked| asked());
        self.origin
    }
}

/// Checks over each carrier that HTTP has.
pub(super) async fn over_both(check: impl AsyncFn(Carrier)) {
    for carrier in [Carrier::Verbatim, Carrier::Terminate] {
        check(carrier).await;
    }
}

/// How a [`Lab`] differs from the usual.
pub(super) struct Setup {
    pub(super) verdict: Option<Verdict>,
    pub(super) mode: Mode,
    pub(super) carrier: Carrier,
    pub(super) open: bool,
    pub(super) roots: Vec<CertificateDer<'static>>,
    pub(super) client_certificates: Vec<ClientCertificate>,
    pub(super) secrets: Option<Arc<dyn Secrets>>,
    pub(super) on_pinned: Option<OnPinned>,
    pub(super) patience: Duration,
    /// Happens each time the origin's address is asked for.
    pub(super) asked: Option<Hook>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            verdict: Some(Verdict::Intercept),
            mode: Mode::Observe,
            carrier: Carrier::Verbatim,
            asked: None,
            open: true,
            roots: Vec::new(),
            client_certificates: Vec::new(),
            secrets: None,
            on_pinned: None,
            patience: Duration::from_millis(100),
        }
    }
}

/// The proxy in front of one origin.
pub(super) struct Lab {
    pub(super) address: SocketAddr,
    pub(super) root: CertificateDer<'static>,
    events: Arc<Recorder>,
    kernel: Arc<Kernel>,
    drain: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Lab {
    /// The usual: observe, intercept, every address open, `roots` trusted.
    pub(super) async fn new(origin: SocketAddr, root: Option<&Authority>) -> Self {
        Self::over(Carrier::Verbatim, origin, root).await
    }

    /// The usual, with HTTP carried by `carrier`.
    pub(super) async fn over(carrier: Carrier, origin: SocketAddr, root: Option<&Authority>) -> Self {
        let roots = root.map(|root| root.der().clone()).into_iter().collect();
        Self::with(origin, Setup { carrier, roots, ..Setup::default() }).await
    }

    pub(super) async fn with(origin: SocketAddr, setup: Setup) -> Self {
        let ca = authority();
        let events = Arc::new(Recorder::default());
        let kernel = Arc::new(Kernel { verdict: setup.verdict, names: Mutex::default() });
        let config = Config {
            ca: Ca { cert_pem: ca.pem(), key_pem: ca.key().serialize_pem() },
            upstream_roots: setup.roots,
            client_certificates: setup.client_certificates,
            connect_timeout: Duration::from_secs(5),
            sniff_timeout: setup.patience,
            handshake_timeout: Duration::from_secs(5),
            max_connections: 64,
            last_connection: 0,
            approver: Arc::new(Nobody),
            last_exchange: 0,
            secrets: setup.secrets,
        };
        let routes = Arc::new(Routes { origin, open: setup.open, asked: setup.asked });
        let on_pinned = setup.on_pinned.unwrap_or(setup.mode.on_pinned());
        let base = if setup.mode == Mode::Enforce { Policy::allowing(setup.mode) } else { Policy::new(setup.mode) };
        let policy = Policy { carrier: setup.carrier, on_pinned, ..base };
        let (_, policy) = watch::channel(Arc::new(policy));
        let proxy = Proxy::new(config, policy, kernel.clone(), routes, events.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (drain, draining) = watch::channel(false);
        let serving = tokio::spawn(proxy.serve(listener, draining));
        Self { address, root: ca.der().clone(), events, kernel, drain, serving }
    }

    pub(super) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A TLS client that trusts the session's CA, or everything.
    pub(super) async fn tls(
        &self,
        alpn: &[&str],
        trusting: bool,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let mut config = if trusting {
            let everything = Arc::new(crate::proxy::tls::verify::Deferred(provider()));
            builder.dangerous().with_custom_certificate_verifier(everything).with_no_client_auth()
        } else {
            builder.with_root_certificates(roots).with_no_client_auth()
        };
        config.alpn_protocols = protocols(alpn);
        let name = ServerName::try_from(NAME).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, self.tcp().await).await
    }

    /// An HTTP client over verified TLS; what the client offers decides the version, as far as the origin agrees.
    pub(super) async fn https(&self, alpn: &[&str]) -> Client {
        let tls = self.tls(alpn, false).await.unwrap();
        let is_h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        Client::new(Box::new(tls), is_h2).await
    }

    /// An HTTP/1.1 client in plain text.
    pub(super) async fn http(&self) -> Client {
        Client::new(Box::new(self.tcp().await), false).await
    }

    /// An HTTP/2 client in plain text.
    pub(super) async fn h2c(&self) -> Client {
        Client::new(Box::new(self.tcp().await), true).await
    }

    /// Host names that the proxy learnt.
    pub(super) fn names(&self) -> Vec<String> {
        self.kernel.names.lock().unwrap().clone()
    }

    /// Drains; returns all events, in order.
    pub(super) async fn finish(self) -> Vec<Event> {
        self.drain.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.serving).await.expect("connections did not end").unwrap();
        std::mem::take(&mut self.events.0.lock().unwrap())
    }
}

/// A body that the test feeds.
pub(super) type Feed = mpsc::Sender<Frame<Bytes>>;

pub(super) type AnyBody = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// A streamed body and what feeds it; it ends when that is dropped.
pub(super) fn fed() -> (Feed, AnyBody) {
    let (feed, frames) = mpsc::channel(1);
    let stream = unfold(frames, async |mut frames| frames.recv().await.map(|frame| (Ok(frame), frames)));
    (feed, StreamBody::new(Box::pin(stream)).boxed_unsync())
}

/// The whole body `text`.
pub(super) fn full(text: &'static str) -> AnyBody {
    http_body_util::Full::new(Bytes::from_static(text.as_bytes())).boxed_unsync()
}

/// An HTTP client on one connection.
pub(super) enum Client {
    Http1(http1::SendRequest<AnyBody>),
    Http2(http2::SendRequest<AnyBody>),
}

impl Client {
    pub(super) async fn new(io: BoxedIo, is_h2: bool) -> Self {
        let io = TokioIo::new(io);
        if is_h2 {
            let (sender, driver) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(driver);
            Self::Http2(sender)
        } else {
            let (sender, driver) = http1::handshake(io).await.unwrap();
            tokio::spawn(driver.with_upgrades());
            Self::Http1(sender)
        }
    }

    pub(super) async fn send(&mut self, request: Request<AnyBody>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => sender.send_request(request).await,
        }
    }
}

/// A POST of `body` in the form that the version wants.
pub(super) fn post(body: AnyBody, is_h2: bool) -> Request<AnyBody> {
    let uri = if is_h2 { format!("https://{NAME}/echo") } else { "/echo".to_owned() };
    let request = Request::post(uri);
    let request = if is_h2 { request } else { request.header("host", NAME) };
    request.body(body).unwrap()
}

pub(super) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

pub(super) fn protocols(alpn: &[&str]) -> Vec<Vec<u8>> {
    alpn.iter().map(|name| name.as_bytes().to_vec()).collect()
}
