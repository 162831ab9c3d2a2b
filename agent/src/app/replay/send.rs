//! Sends the request and takes the answer, in the session: to the address that was dialled, through whatever is between.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version};
use http_body_util::{BodyExt as _, Either, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::http1;
use super::order::{Answer, Fields, Order};
use crate::engine::event::micros;

/// How long connecting, TLS and the answer's head may take, each.
pub(super) const STEP: Duration = Duration::from_secs(30);
/// How long the answer's body is read.
pub(super) const BODY: Duration = Duration::from_secs(30);
/// Bytes of the answer's body that are read.
pub(super) const MAX_BODY: usize = 64 << 20;

type Body = Either<Full<Bytes>, Empty<Bytes>>;

/// A connection of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// What was received of an answer.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) fields: Fields,
    pub(super) trailers: Fields,
    pub(super) body: Vec<u8>,
    /// There was more.
    pub(super) is_cut: bool,
}

/// Carries out an order.
pub(super) async fn send(order: &Order) -> anyhow::Result<Answer> {
    let address = order.address;
    let tcp = timeout(STEP, TcpStream::connect(address)).await.map_err(anyhow::Error::from).and_then(|tcp| Ok(tcp?));
    let tcp = tcp.with_context(|| format!("cannot connect to {address}"))?;
    tcp.set_nodelay(true).context("cannot set up the connection")?;
    let is_http2 = order.version == "HTTP/2";
    let stream: Box<dyn Stream> =
        if order.is_tls { Box::new(secure(order, tcp, is_http2).await?) } else { Box::new(tcp) };
    let began = Instant::now();
    let received = if is_http2 { http2(stream, order).await? } else { http1::exchange(stream, order).await? };
    Ok(Answer {
        status: received.status,
        fields: received.fields,
        trailers: received.trailers,
        body: STANDARD.encode(&received.body),
        is_cut: received.is_cut,
        took_us: micros(began.elapsed()),
    })
}

async fn http2(stream: Box<dyn Stream>, order: &Order) -> anyhow::Result<Received> {
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, driver) = handshake.await.context("cannot begin HTTP/2")?;
    tokio::spawn(ended(driver));
    let answered = timeout(STEP, sender.send_request(request(order)?)).await;
    let response = answered.map_err(anyhow::Error::from).and_then(|answered| Ok(answered?));
    receive(response.context("no answer")?).await
}

/// What ends a connection its exchanges learn.
async fn ended(driver: impl Future<Output = hyper::Result<()>>) {
    if let Err(error) = driver.await {
        tracing::debug!(%error, "the connection ended");
    }
}

/// TLS that trusts the session's authority alone.
async fn secure(
    order: &Order,
    tcp: TcpStream,
    is_http2: bool,
) -> anyhow::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(order.authority.as_bytes()) {
        roots.add(certificate.context("the session's authority is broken")?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let protocol: &[u8] = if is_http2 { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = match &order.name {
        Some(name) => ServerName::try_from(name.clone()).context("the server's name is none")?,
        None => ServerName::IpAddress(order.address.ip().to_canonical().into()),
    };
    let shaken = timeout(STEP, TlsConnector::from(Arc::new(config)).connect(name, tcp)).await;
    let stream = shaken.map_err(anyhow::Error::from).and_then(|shaken| Ok(shaken?)).context("TLS failed")?;
    let chosen = stream.get_ref().1.alpn_protocol();
    ensure!(!is_http2 || chosen == Some(b"h2"), "the server does not speak HTTP/2 any more");
    Ok(stream)
}

fn request(order: &Order) -> anyhow::Result<Request<Body>> {
    let body = match &order.body {
        Some(body) => Either::Left(Full::new(STANDARD.decode(body)?.into())),
        None => Either::Right(Empty::new()),
    };
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(order.method.as_bytes())?;
    *request.version_mut() = Version::HTTP_2;
    let url = &order.url;
    *request.uri_mut() = url.parse::<Uri>().with_context(|| format!("`{url}` cannot be asked for"))?;
    for (name, value) in &order.fields {
        request.headers_mut().append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    Ok(request)
}

/// Takes the answer as far as it comes in time.
async fn receive(response: Response<Incoming>) -> anyhow::Result<Received> {
    let (head, mut incoming) = response.into_parts();
    let (status, fields) = (head.status.as_u16(), pairs(&head.headers));
    let mut received = Received { status, fields, ..Received::default() };
    let (body, trailers) = (&mut received.body, &mut received.trailers);
    let read = async {
        while let Some(frame) = incoming.frame().await {
            match frame.context("the answer breaks off")?.into_data() {
                Ok(data) if body.len() + data.len() > MAX_BODY => return Ok(true),
                Ok(data) => body.extend_from_slice(&data),
                Err(frame) => *trailers = pairs(&frame.into_trailers().unwrap_or_default()),
            }
        }
        anyhow::Ok(false)
    };
    received.is_cut = match timeout(BODY, read).await {
        Ok(is_cut) => is_cut?,
        Err(_elapsed) => true,
    };
    Ok(received)
}

fn pairs(headers: &HeaderMap) -> Fields {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}
