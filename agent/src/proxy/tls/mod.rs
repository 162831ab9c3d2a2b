//! TLS on both sides of a connection: the server's first, so that the child is offered what the server speaks and shown
//! names and defects that the server has.

mod alert;
mod authority;
mod downstream;
mod hello;
mod identity;
mod leaves;
pub mod offer;
mod refusal;
mod secrets;
mod upstream;
pub(super) mod verify;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::HandshakeKind;
use rustls::pki_types::CertificateDer;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::client::TlsStream;

use self::authority::Day;
use self::downstream::Downstream;
use self::hello::Hello;
use self::leaves::{Leaves, Wanted};
use self::offer::Offer;
use self::refusal::{Watched, Witness};
use self::secrets::key_log;
pub(crate) use self::upstream::Target;
use self::upstream::{Session, Upstream};
use self::verify::Standing;
use super::connection::Connection;
use super::error::{Error, Kind, Side};
use super::first_bytes::{First, FirstBytes};
use super::http::{self, Protocol};
use super::io::{Io, Rewind, Socket};
use super::relay::{pass_through, relay_over, relay_to};
use super::{Ca, ClientCertificate, Secrets};
use crate::engine::event::{Event, Handshake, micros};
use crate::engine::pinning::{Client, Pinned};
use crate::engine::policy::Content;
use crate::engine::wire::sniff::Sniff;

/// What the TLS connections of a session share.
pub(crate) struct Tls {
    upstream: Upstream,
    downstream: Downstream,
    leaves: Leaves,
    pinned: Mutex<Pinned>,
}

impl Tls {
    /// Prepares a session that signs with `ca`, trusts `roots`, shows `certificates` to servers that ask, and tells
    /// `secrets`.
    pub(crate) fn new(
        ca: &Ca,
        roots: Vec<CertificateDer<'static>>,
        certificates: Vec<ClientCertificate>,
        secrets: Option<&Arc<dyn Secrets>>,
    ) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Ok(Self {
            upstream: Upstream::new(Arc::clone(&provider), roots, certificates, key_log(Side::Upstream, secrets))?,
            downstream: Downstream::new(provider, key_log(Side::Downstream, secrets)),
            leaves: Leaves::new(ca)?,
            pinned: Mutex::default(),
        })
    }

    fn pinned(&self) -> MutexGuard<'_, Pinned> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Terminates TLS on both sides of `connection` and carries what is inside. What a client has refused to have read may
/// pass unread.
pub(crate) async fn intercept(connection: &Arc<Connection>, io: Rewind<Socket>) -> Result<(), Error> {
    let mut hello = Hello::read(connection, io).await?;
    if let Some(name) = &hello.offer.sni {
        connection.name(name);
        connection.server_name.get_or_init(|| name.clone());
    }
    if connection.outlook().redirects {
        hello.offer.prefer_http1();
    }
    let target = Target::new(connection, &hello.offer);
    if connection.kept_away(false).is_some() {
        return stand_in(connection, hello, target, None).await;
    }
    let host = target.name.to_str().into_owned();
    if let Some(permit) = connection.judge_relay(Content::Ruled).permit() {
        return pass_through(connection, permit, (host, Content::Ruled), hello.rewind()).await;
    }
    let client = Client { host, program: connection.program() };
    let is_pinned = connection.proxy.tls.pinned().contains(&client);
    if is_pinned && let Some(permit) = connection.judge_relay(Content::Pinned).permit() {
        return pass_through(connection, permit, (client.host, Content::Pinned), hello.rewind()).await;
    }
    let session = match target.connect(connection).await {
        Ok(session) => session,
        Err(error) if connection.outlook().mocks => return stand_in(connection, hello, target, Some(error)).await,
        Err(error) => return Err(hello.refuse(connection, error).await),
    };
    let downstream = answer(connection, client, hello, &target, &session).await?;
    let (verified, alpn) = (session.is_verified(), session.alpn());
    let target = Target { verified, alpn: alpn.clone().into_iter().collect(), ..target };
    carry(connection, downstream, session.stream, target, alpn.as_deref()).await
}

/// Shakes hands with the child as the server of `session` did.
async fn answer(
    connection: &Arc<Connection>,
    client: Client,
    hello: Hello,
    target: &Target,
    session: &Session,
) -> Result<impl Io + 'static, Error> {
    let leaf = connection.proxy.tls.leaves.leaf(session.wanted(target, hello.offer.needs_rsa)).await?;
    let (sni, alpn, verified) = (hello.offer.sni.clone(), session.alpn(), session.is_verified());
    // Whoever refuses a bad certificate does so for good reason.
    let witness = verified.then(|| Witness::new(Arc::clone(connection), client));
    let begun = Instant::now();
    let accepted = hello.accept(connection, leaf, verified, alpn.clone()).await;
    let took = begun.elapsed();
    let downstream = accepted.inspect_err(|error| {
        if let Some(witness) = &witness {
            witness.failed(error);
        }
    })?;
    connection.emit(Event::TlsIntercepted {
        connection: connection.id,
        sni,
        alpn: alpn.as_deref().map(|alpn| String::from_utf8_lossy(alpn).into_owned()),
        verified,
        child: handshake(downstream.get_ref().1, took),
        server: Some(handshake(session.stream.get_ref().1, session.took)),
        certificates: session.certificates(),
    });
    // A session that is resumed was accepted when it began.
    let is_resumed = downstream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
    Ok(Watched::new(downstream, witness.filter(|_| !is_resumed)))
}

/// What was agreed on in a handshake that took so long.
fn handshake(tls: &rustls::CommonState, took: Duration) -> Handshake {
    let version = tls.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
    let suite = tls.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default();
    let resumed = tls.handshake_kind() == Some(HandshakeKind::Resumed);
    Handshake { suite: format!("{version} {suite}"), resumed, took_us: micros(took) }
}

/// Shakes hands with the child in the place of a server that is not spoken to, so that its requests can be answered:
/// because of `why`, or because nothing may go to it.
async fn stand_in(connection: &Arc<Connection>, hello: Hello, target: Target, why: Option<Error>) -> Result<(), Error> {
    let Offer { sni, alpn: offered, needs_rsa, .. } = hello.offer.clone();
    let alpn = [&b"h2"[..], b"http/1.1"].into_iter().find(|known| offered.iter().any(|offered| offered == known));
    if alpn.is_none() && !offered.is_empty() {
        let unknown = || Error::new(Side::Downstream, Kind::Protocol, connection.peer(Side::Downstream));
        return Err(hello.refuse(connection, why.unwrap_or_else(unknown)).await);
    }
    let certificate = CertificateDer::from(Vec::new());
    let wanted =
        Wanted { name: target.name.clone(), certificate, standing: Standing::Good, needs_rsa, day: Day::today() };
    let leaf = connection.proxy.tls.leaves.leaf(wanted).await?;
    let begun = Instant::now();
    let mut downstream = hello.accept(connection, leaf, false, alpn.map(<[u8]>::to_vec)).await?;
    connection.emit(Event::TlsIntercepted {
        connection: connection.id,
        sni,
        alpn: alpn.map(|alpn| String::from_utf8_lossy(alpn).into_owned()),
        verified: false,
        child: handshake(downstream.get_ref().1, begun.elapsed()),
        server: None,
        certificates: Vec::new(),
    });
    let mut first = FirstBytes::default();
    let protocol = match alpn {
        Some(b"h2") => Protocol::Http2,
        Some(_) => Protocol::Http1,
        None => match first.child(&mut downstream, connection.proxy.timeouts.sniff).await {
            Sniff::Http1 => Protocol::Http1,
            Sniff::H2Preface => Protocol::Http2,
            Sniff::Tls | Sniff::Other | Sniff::More => {
                let (downstream, _) = first.rewind(downstream, ());
                let connect = async || Ok(target.connect(connection).await?.stream);
                return relay_over(connection, Box::new(downstream), Content::Other, connect).await;
            }
        },
    };
    let (downstream, _) = first.rewind(downstream, ());
    let target = Target { verified: true, alpn: alpn.map(<[u8]>::to_vec).into_iter().collect(), ..target };
    http::unserved(connection, protocol, Box::new(downstream), Some(target), why).await
}

/// Carries what is inside.
async fn carry(
    connection: &Arc<Connection>,
    mut downstream: impl Io + 'static,
    mut upstream: TlsStream<Socket>,
    target: Target,
    alpn: Option<&[u8]>,
) -> Result<(), Error> {
    let mut first = FirstBytes::default();
    let inside = match alpn {
        Some(b"h2") => Inside::Http(Protocol::Http2),
        Some(b"http/1.1" | b"http/1.0") => Inside::Http(Protocol::Http1),
        Some(_) => Inside::Other,
        None => listen(connection, &mut first, &mut downstream, &mut upstream).await,
    };
    match inside {
        Inside::Http(protocol) => {
            let (downstream, _) = first.rewind(downstream, ());
            http::secure(connection, protocol, Box::new(downstream), target, upstream).await
        }
        Inside::Other => {
            let (downstream, upstream) = first.rewind(downstream, upstream);
            relay_to(connection, Box::new(downstream), Box::new(upstream)).await
        }
        Inside::Nothing => {
            let peer = connection.peer(Side::Downstream);
            downstream.shutdown().await.map_err(|error| Error::io(Side::Downstream, peer, error))
        }
    }
}

/// What TLS carries.
enum Inside {
    Http(Protocol),
    Other,
    /// It ended without a word, and nothing may be relayed.
    Nothing,
}

/// Without a protocol that was agreed on, who speaks first decides, and what.
async fn listen(
    connection: &Connection,
    first: &mut FirstBytes,
    downstream: &mut impl Io,
    upstream: &mut TlsStream<Socket>,
) -> Inside {
    let spoken = tokio::select! {
        spoken = first.either(downstream, upstream, connection.proxy.timeouts.sniff) => spoken,
        () = connection.drained() => return Inside::Nothing,
    };
    match spoken {
        First::Child(Sniff::Http1) => Inside::Http(Protocol::Http1),
        First::Child(Sniff::H2Preface) => Inside::Http(Protocol::Http2),
        _ if first.is_empty() && connection.judge_relay(Content::Other).permit().is_none() => Inside::Nothing,
        First::Child(Sniff::Tls | Sniff::Other | Sniff::More) | First::Server => Inside::Other,
    }
}

/// The provider of cryptography cannot do what every version of it can.
fn unusable(error: rustls::Error) -> Error {
    Error::new(Side::Internal, Kind::Setup, "the crypto provider").because(error)
}
