//! The forwarder that answers every DNS query of the child, whichever address it was sent to.
//!
//! It asks the host's resolvers from the worker's own namespace, takes out of the answers what would lead the child
//! around the proxy, and remembers which name gave which address. It caches nothing, and chooses no answer itself:
//! where no resolver answers, the child is told so. Zone transfers are refused; a stub resolver has no use for them.

mod names;
mod resolv_conf;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;
mod upstream;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use names::Names;
pub use resolv_conf::host_resolvers;

use crate::engine::event::{Event, Events};
use crate::engine::wire::dns::{Malformed, Message, Question, Rcode, fit, is_transfer, record_type_name, refusal};
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
    upstream: Upstream,
    events: Events,
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
    /// A forwarder that reports each answer to `events`.
    #[must_use]
    pub fn new(config: Config, events: Events) -> Arc<Self> {
        let in_flight = Semaphore::new(config.max_in_flight);
        let connections = Arc::new(Semaphore::new(config.max_in_flight));
        Arc::new(Self { upstream: Upstream::new(config), events, names: Names::default(), in_flight, connections })
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
        while let Some(ended) = tasks.join_next().await {
            ended?;
        }
        Ok(())
    }

    /// Which name gave which address.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The response to the bytes `query`; `None` if there is nobody to answer.
    async fn answer(&self, query: &[u8], child: SocketAddr, transport: Transport) -> Option<Vec<u8>> {
        let message = match acceptable(query) {
            Ok(message) => message,
            Err(rcode) => return refusal(query, rcode, None),
        };
        let response = match self.forward(&message).await {
            Some(response) => response,
            None => refusal(query, Rcode::SERVFAIL, None)?,
        };
        self.report(&message, &response, child, transport);
        Some(match transport {
            Transport::Udp => fit(response, message.udp_size()),
            Transport::Tcp => response,
        })
    }

    async fn forward(&self, query: &Message<'_>) -> Option<Vec<u8>> {
        let _permit = self.in_flight.try_acquire().ok()?;
        let response = self.upstream.resolve(query).await?;
        let returned = |response: &[u8]| -> Result<Vec<u8>, Malformed> { Message::parse(response)?.returned(query) };
        returned(&response).inspect_err(|error| tracing::debug!(%error, "unusable DNS response")).ok()
    }

    /// Remembers and reports what the child is told.
    fn report(&self, query: &Message<'_>, response: &[u8], child: SocketAddr, transport: Transport) {
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

/// Reads a query that may be forwarded, or says how it is refused.
fn acceptable(query: &[u8]) -> Result<Message<'_>, Rcode> {
    if query.get(2).is_some_and(|flags| flags & 0x78 != 0) {
        return Err(Rcode::NOTIMP);
    }
    let message = Message::parse(query).map_err(|Malformed(_)| Rcode::FORMERR)?;
    match message.question() {
        // A response; `refusal` does not answer it.
        _ if message.is_response() => Err(Rcode::FORMERR),
        None => Err(Rcode::FORMERR),
        Some(question) if is_transfer(question.record_type) => Err(Rcode::REFUSED),
        Some(_) => Ok(message),
    }
}
