//! The forwarder that answers every DNS query of the child, whichever address it was sent to.
//!
//! It asks the policy, and then the host's resolvers from the worker's own namespace; takes out of the answers what
//! would lead the child around the proxy, and remembers which name gave which address. It caches nothing, and chooses no
//! answer itself: where no resolver answers, the child is told so.

mod names;
mod refusals;
mod resolv_conf;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;
mod upstream;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

pub use names::Names;
pub use resolv_conf::host_resolvers;

use crate::engine::event::{Event, Events, micros};
use crate::engine::policy::Policy;
use crate::engine::policy::destination::STAND_IN;
use crate::engine::policy::query::{QueryPermit, QueryPolicy, Refusal};
use crate::engine::wire::dns::{
    CLASS_INTERNET, Malformed, Message, Question, Rcode, fit, record_type_name, refusal, stand_in,
};
use refusals::{Refusals, Refused};
use upstream::Upstream;

/// How queries are forwarded.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whom to ask, in this order.
    pub resolvers: Vec<SocketAddr>,
    /// How long to wait for one resolver, each time.
    pub timeout: Duration,
    /// How often to go through the resolvers.
    pub attempts: u32,
    /// How many queries are forwarded at once, a further one is answered SERVFAIL; and how many TCP connections are
    /// served at once, a further one waits.
    pub max_in_flight: usize,
}

/// Where the child's queries arrive: made in the gateway namespace, not blocking.
#[derive(Debug)]
pub struct Sockets {
    /// Bound and ready to receive.
    pub udp: Vec<std::net::UdpSocket>,
    /// Listening.
    pub tcp: Vec<std::net::TcpListener>,
}

/// Forwards queries. One serves any number of sockets.
pub struct Forwarder {
    policy: watch::Receiver<Arc<Policy>>,
    queries: Mutex<QueryPolicy>,
    upstream: Upstream,
    events: Events,
    refusals: Refusals,
    names: Names,
    in_flight: Semaphore,
    connections: Arc<Semaphore>,
}

/// How a query came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

impl Forwarder {
    /// A forwarder that forwards what `policy` permits, and reports each answer and each refusal to `events`.
    #[must_use]
    pub fn new(config: Config, policy: watch::Receiver<Arc<Policy>>, events: Events) -> Arc<Self> {
        let in_flight = Semaphore::new(config.max_in_flight);
        let connections = Arc::new(Semaphore::new(config.max_in_flight));
        let queries = Mutex::new(policy.borrow().queries(Instant::now()));
        let refusals = Refusals::new(Arc::clone(&events));
        let (upstream, names) = (Upstream::new(config), Names::default());
        Arc::new(Self { policy, queries, upstream, events, refusals, names, in_flight, connections })
    }

    /// Answers what arrives at `sockets` until it is dropped.
    ///
    /// # Errors
    /// Where a socket cannot be used at all. What goes wrong with one query or one connection ends only that.
    pub async fn serve(self: Arc<Self>, sockets: Sockets) -> io::Result<()> {
        let mut tasks = JoinSet::new();
        for socket in sockets.udp {
            let socket = Arc::new(udp::Socket::new(socket)?);
            tasks.spawn(udp::serve(Arc::clone(&self), socket));
        }
        for listener in sockets.tcp {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tasks.spawn(tcp::serve(Arc::clone(&self), listener));
        }
        tasks.spawn(async move { self.refusals.serve().await });
        while let Some(ended) = tasks.join_next().await {
            ended?;
        }
        Ok(())
    }

    /// Reports what refusals were counted and not reported yet; to be called when nothing is served any more.
    pub fn end(&self) {
        self.refusals.end();
    }

    /// Which name gave which address.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The response to the bytes `query`; `None` if there is nobody to answer.
    async fn answer(&self, query: &[u8], child: SocketAddr, transport: Transport) -> Option<Vec<u8>> {
        let message = read(query);
        let answer = match &message {
            Ok(message) => self.resolve(message, child, transport).await,
            Err(refusal) => Err(*refusal),
        };
        answer.unwrap_or_else(|reason| {
            let question = message.ok().and_then(|message| message.question().cloned());
            self.refusals.report(Refused { child, transport, question, refusal: reason });
            let rcode = reason.rcode();
            refusal(query, rcode, (rcode == Rcode::REFUSED).then_some(reason.name()))
        })
    }

    /// The response to `query` as the child is given it, if query and response may pass.
    async fn resolve(
        &self,
        query: &Message<'_>,
        child: SocketAddr,
        transport: Transport,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let asked = Instant::now();
        let permit = self.queries().permit(query, asked)?;
        let outlook = query.question().map(|question| self.outlook(question)).unwrap_or_default();
        let response = if outlook.is_withheld { None } else { self.forward(&permit).await? };
        let response = response.filter(|response| !outlook.is_mocked || is_found(response));
        let response = response.or_else(|| match outlook {
            Outlook { is_withheld: false, is_mocked: false } => refusal(query.bytes(), Rcode::SERVFAIL, None),
            _ => stand_in(query, STAND_IN),
        });
        Ok(response.map(|response| {
            self.report(query, &response, child, transport, asked.elapsed());
            match transport {
                Transport::Udp => fit(response, query.udp_size()),
                Transport::Tcp => response,
            }
        }))
    }

    /// What a resolver responds; `None` if none has a response that can be used.
    async fn forward(&self, permit: &QueryPermit<'_>) -> Result<Option<Vec<u8>>, Refusal> {
        let Ok(_slot) = self.in_flight.try_acquire() else { return Ok(None) };
        let Some(response) = self.upstream.resolve(permit).await else { return Ok(None) };
        permit.admit(&response)?;
        let returned =
            |response: &[u8]| -> Result<Vec<u8>, Malformed> { Message::parse(response)?.returned(permit.query()) };
        Ok(returned(&response).inspect_err(|error| tracing::debug!(%error, "unusable DNS response")).ok())
    }

    /// What may become of what is sent to the name that is asked for.
    fn outlook(&self, question: &Question) -> Outlook {
        if question.class != CLASS_INTERNET {
            return Outlook::default();
        }
        let policy = Arc::clone(&self.policy.borrow());
        Outlook { is_withheld: policy.withholds(&question.name), is_mocked: policy.mocks(&question.name) }
    }

    fn queries(&self) -> MutexGuard<'_, QueryPolicy> {
        // Nothing panics while it is held.
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers and reports what the child is told.
    fn report(&self, query: &Message<'_>, response: &[u8], child: SocketAddr, transport: Transport, took: Duration) {
        let (Some(Question { name, record_type, .. }), Ok(response)) = (query.question(), Message::parse(response))
        else {
            return;
        };
        let addresses = response.addresses();
        self.names.learn(name, &addresses);
        self.events.emit(Event::DnsAnswered {
            child,
            transport: transport.name(),
            name: name.clone(),
            record_type: record_type_name(*record_type),
            rcode: response.rcode().name(),
            addresses: addresses.iter().map(|address| address.ip).collect(),
            took_us: micros(took),
        });
    }
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// What may become of what is sent to a name.
#[derive(Clone, Copy, Default)]
struct Outlook {
    /// Nobody may be asked about it.
    is_withheld: bool,
    /// Requests to it may be answered, whether or not it exists.
    is_mocked: bool,
}

/// Whether a response says that the name exists.
fn is_found(response: &[u8]) -> bool {
    Message::parse(response).is_ok_and(|response| response.rcode() == Rcode::NOERROR)
}

/// Reads a query, or says why it is none.
fn read(query: &[u8]) -> Result<Message<'_>, Refusal> {
    // The bit that responses have, and what is asked for other than records: what follows the header depends on it.
    const RESPONSE_OR_OPCODE: u8 = 0xf8;
    if query.get(2).is_some_and(|flags| flags & RESPONSE_OR_OPCODE != 0) {
        return Err(Refusal::NotAQuery);
    }
    Message::parse(query).map_err(|Malformed(_)| Refusal::Malformed)
}
