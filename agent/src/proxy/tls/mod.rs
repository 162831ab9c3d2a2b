//! TLS on both sides of a connection: the server's first, so that the child is offered what the server speaks and shown
//! names and defects that the server has.

mod alert;
mod authority;
mod downstream;
mod leaves;
mod upstream;
pub(super) mod verify;

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tokio_rustls::client::TlsStream;

use self::downstream::{Downstream, Hello};
use self::leaves::Leaves;
pub(crate) use self::upstream::Target;
use self::upstream::Upstream;
use super::Ca;
use super::connection::Connection;
use super::error::{Error, Kind, Side};
use super::first_bytes::first_bytes;
use super::http::{self, Protocol};
use super::io::{Io, Rewind, Socket};
use super::relay::relay_to;
use crate::engine::event::Event;
use crate::engine::wire::sniff::Sniff;

/// What the TLS connections of a session share.
pub(crate) struct Tls {
    upstream: Upstream,
    downstream: Downstream,
    leaves: Leaves,
}

impl Tls {
    /// Prepares a session that signs with `ca` and trusts `roots` besides the system's.
    pub(crate) fn new(ca: &Ca, roots: Vec<CertificateDer<'static>>) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Ok(Self {
            upstream: Upstream::new(Arc::clone(&provider), roots)?,
            downstream: Downstream::new(provider),
            leaves: Leaves::new(ca)?,
        })
    }
}

/// Terminates TLS on both sides of `connection` and carries what is inside.
pub(crate) async fn intercept(connection: &Arc<Connection>, io: Rewind<Socket>) -> Result<(), Error> {
    let hello = Hello::read(connection, io).await?;
    if let Some(name) = &hello.sni {
        connection.name(name);
    }
    let target = Target::new(connection, hello.sni.as_deref(), hello.alpn.clone());
    let session = match target.connect(connection).await {
        Ok(session) => session,
        Err(error) => return Err(hello.refuse(connection, error).await),
    };
    let leaf = connection.proxy.tls.leaves.leaf(session.wanted(&target)).await?;
    let (sni, alpn) = (hello.sni.clone(), session.alpn());
    let downstream = hello.accept(connection, leaf, session.verified, alpn.clone()).await?;
    connection.emit(Event::TlsIntercepted {
        connection: connection.id,
        sni,
        alpn: alpn.as_deref().map(|alpn| String::from_utf8_lossy(alpn).into_owned()),
        verified: session.verified,
    });
    let target = Target { verified: session.verified, alpn: alpn.clone().into_iter().collect(), ..target };
    carry(connection, downstream, session.stream, target, alpn.as_deref()).await
}

/// Carries what is inside: by the protocol that was agreed on, else by its first bytes.
async fn carry(
    connection: &Arc<Connection>,
    downstream: impl Io + 'static,
    upstream: TlsStream<Socket>,
    target: Target,
    alpn: Option<&[u8]>,
) -> Result<(), Error> {
    let (protocol, downstream) = match alpn {
        Some(b"h2") => (Some(Protocol::Http2), Rewind::new(Default::default(), downstream)),
        Some(b"http/1.1" | b"http/1.0") => (Some(Protocol::Http1), Rewind::new(Default::default(), downstream)),
        Some(_) => (None, Rewind::new(Default::default(), downstream)),
        None => {
            let (sniff, io) = first_bytes(downstream, connection.proxy.timeouts.sniff).await;
            (inside(sniff), io)
        }
    };
    match protocol {
        Some(protocol) => http::secure(connection, protocol, Box::new(downstream), target, upstream).await,
        None => relay_to(connection, downstream, upstream).await,
    }
}

const fn inside(sniff: Sniff) -> Option<Protocol> {
    match sniff {
        Sniff::Http1 => Some(Protocol::Http1),
        Sniff::H2Preface => Some(Protocol::Http2),
        Sniff::Tls | Sniff::Other | Sniff::More => None,
    }
}

/// The provider of cryptography cannot do what every version of it can.
fn unusable(error: rustls::Error) -> Error {
    Error::new(Side::Internal, Kind::Setup, "the crypto provider").because(error)
}
