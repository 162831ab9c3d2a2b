//! The proxy: accepts the child's connections, decrypts and forwards them, and reports what it sees. What may pass the
//! engine decides; where a connection was to go, and which addresses are the host's, its caller says.

mod connection;
mod dial;
mod error;
mod first_bytes;
mod http;
mod io;
mod listener;
mod opening;
mod relay;
mod script;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent_common::maps::Verdict;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

pub use self::error::{Error, Kind, Side};
pub use self::tls::offer;
use crate::engine::event::{ConnectionId, Events, ExchangeId};
use crate::engine::http::tape::Tape;
use crate::engine::policy::host::HostPattern;
use crate::engine::policy::meter::Meter;
use crate::engine::policy::rules::ask::Ask;
use crate::engine::policy::{Policy, destination};
use crate::engine::process::Process;

/// The certificate authority that leaves are signed with. Not `Debug`: the key must reach no log.
#[derive(Clone, Serialize, Deserialize)]
pub struct Ca {
    /// Its certificate, PEM.
    pub cert_pem: String,
    /// Its private key, PEM.
    pub key_pem: String,
}

/// A certificate of the client's for servers that ask for one. Not `Debug`: the key must reach no log.
#[derive(Clone, Serialize, Deserialize)]
pub struct ClientCertificate {
    /// The servers it is for.
    pub host: HostPattern,
    /// The certificate and those above it, DER, its own first.
    pub chain: Vec<Vec<u8>>,
    /// Its private key, PEM.
    pub key_pem: String,
}

/// Settings of the proxy.
pub struct Config {
    /// What signs the leaves that the child trusts.
    pub ca: Ca,
    /// Roots trusted upstream, the system's included.
    pub upstream_roots: Vec<CertificateDer<'static>>,
    /// What servers that ask for a client's certificate are shown; the first that matches.
    pub client_certificates: Vec<ClientCertificate>,
    /// How long connecting upstream may take.
    pub connect_timeout: Duration,
    /// How long a child may pause in the middle of its first words before they count as neither TLS nor HTTP.
    pub sniff_timeout: Duration,
    /// How long one TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How many connections may be open; one more waits in the listener's queue.
    pub max_connections: usize,
    /// The number of the connection before the first; a session's numbers go on after its worker was replaced.
    pub last_connection: u64,
    /// The number of the exchange before the first.
    pub last_exchange: u64,
    /// Who is asked.
    pub approver: Arc<dyn Approver>,
    /// Who is told the secrets of TLS connections, if anybody is.
    pub secrets: Option<Arc<dyn Secrets>>,
}

/// Takes the secrets that decrypt TLS connections. They may go nowhere but where the user has asked for them.
pub trait Secrets: Send + Sync {
    /// A secret of a connection on `side`, under the label that key logs have for it (RFC 9850). It is told before what
    /// it encrypts is sent, where it is us who send it; and waited for: do not block.
    fn secret(&self, side: Side, label: &str, client_random: &[u8], secret: &[u8]);
}

/// What somebody is asked about.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The rule that wants it.
    pub rule: String,
    /// The host that it goes to; address and port of what is not read, unless TLS names one.
    pub host: String,
    /// Method and URL, or what else it is.
    pub request: String,
    /// The program that sends it, if the kernel says so.
    pub program: Option<String>,
    /// How it is asked.
    pub ask: Ask,
}

/// Asks people.
pub trait Approver: Send + Sync {
    /// Whether a request may go on; nothing if nobody says. It is dropped when it has waited long enough.
    fn ask(&self, asking: Asking) -> Pin<Box<dyn Future<Output = Option<bool>> + Send + '_>>;
}

/// What the kernel recorded about connections.
pub trait Flows: Send + Sync {
    /// Original destination and verdict of the connection accepted from `child` on `local`; `None` if none is recorded.
    fn lookup(&self, child: SocketAddr, local: SocketAddr) -> Option<(SocketAddr, Verdict)>;
    /// Who opened the connection, if the kernel saw it.
    fn process(&self, child: SocketAddr, local: SocketAddr) -> Option<Process>;
    /// Whether the child was told that `host`, in lower case and without a final dot, is at `ip`.
    fn is_at(&self, host: &str, ip: IpAddr) -> bool;
    /// Notes the host name learnt for the connection.
    fn name(&self, child: SocketAddr, local: SocketAddr, name: &str);
}

/// What is known about addresses when they are dialled.
pub trait Destinations: Send + Sync {
    /// Whether `ip` is assigned to the host.
    fn is_host_local(&self, ip: IpAddr) -> bool;

    /// Why `ip` is never dialled, or `None` if it may be.
    fn forbidden(&self, ip: IpAddr) -> Option<&'static str> {
        let ip = ip.to_canonical();
        let embedded = if let IpAddr::V6(v6) = ip { destination::embedded(v6) } else { None };
        let is_local = self.is_host_local(ip) || embedded.is_some_and(|v4| self.is_host_local(v4.into()));
        destination::forbidden(ip).or_else(|| is_local.then_some("host-local"))
    }

    /// The address dialled for an original destination.
    fn dialled(&self, orig_dst: SocketAddr) -> SocketAddr {
        orig_dst
    }
}

/// The proxy of one session.
pub struct Proxy {
    policy: watch::Receiver<Arc<Policy>>,
    flows: Arc<dyn Flows>,
    destinations: Arc<dyn Destinations>,
    events: Events,
    tape: Option<Arc<dyn Tape>>,
    timeouts: Timeouts,
    tls: tls::Tls,
    meter: Arc<Mutex<Meter>>,
    approver: Arc<dyn Approver>,
    scripts: script::Scripts,
    slots: Arc<Semaphore>,
    max_connections: u32,
    connections: AtomicU64,
    exchanges: AtomicU64,
}

struct Timeouts {
    connect: Duration,
    sniff: Duration,
    handshake: Duration,
}

impl Proxy {
    /// Prepares a proxy. Nothing is read or opened.
    ///
    /// # Errors
    /// [`Kind::Setup`] if a certificate or key cannot be used, or they do not belong together.
    pub fn new(
        config: Config,
        policy: watch::Receiver<Arc<Policy>>,
        flows: Arc<dyn Flows>,
        destinations: Arc<dyn Destinations>,
        events: Events,
    ) -> Result<Arc<Self>, Error> {
        let max_connections = u32::try_from(config.max_connections.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Ok(Arc::new(Self {
            policy,
            flows,
            destinations,
            tape: events.tape(),
            events,
            timeouts: Timeouts {
                connect: config.connect_timeout,
                sniff: config.sniff_timeout,
                handshake: config.handshake_timeout,
            },
            tls: tls::Tls::new(&config.ca, config.upstream_roots, config.client_certificates, config.secrets.as_ref())?,
            meter: Arc::default(),
            approver: config.approver,
            scripts: script::Scripts::default(),
            slots: Arc::new(Semaphore::new(max_connections as usize)),
            max_connections,
            connections: AtomicU64::new(config.last_connection),
            exchanges: AtomicU64::new(config.last_exchange),
        }))
    }

    /// Serves the connections of `listener` until `drain` becomes true, then lets open ones end and returns. It may run
    /// for several listeners at once; each waits for the connections of all.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, drain: watch::Receiver<bool>) {
        listener::serve(self, listener, drain).await;
    }

    fn next_connection(&self) -> ConnectionId {
        ConnectionId(1 + self.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// What the session allows now. Who judges an exchange keeps it to the exchange's end.
    fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.borrow())
    }

    fn meter(&self) -> MutexGuard<'_, Meter> {
        // Nothing panics while it is held.
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_exchange(&self) -> ExchangeId {
        ExchangeId(1 + self.exchanges.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests;
