//! One connection of the child: joined to its flow, sniffed, judged, and handed to TLS, HTTP or the relay.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use agent_common::maps::Verdict;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::dial::check;
use super::error::{Error, Side};
use super::http::{self, Protocol};
use super::io::{Fate, Socket};
use super::opening::{Opening, open};
use super::relay::{relay, relay_to};
use super::{Proxy, tls};
use crate::engine::event::{ConnectionId, Event};
use crate::engine::http::RequestHead;
use crate::engine::http::exchange::Exchange;
use crate::engine::policy::rules::subject::ConnFacts;
use crate::engine::policy::{self, Content};
use crate::engine::process::Process;
use crate::engine::wire::sniff::Sniff;

/// What a listener yields.
pub(crate) struct Accepted {
    pub(crate) tcp: TcpStream,
    pub(crate) child: SocketAddr,
}

/// What everything that works for a connection knows about it. Its end is reported when the last of them lets go.
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) orig_dst: SocketAddr,
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) downstream: Fate,
    pub(crate) upstream: Fate,
    pub(crate) exchanges: Arc<http::Open>,
    drain: watch::Receiver<bool>,
    child: SocketAddr,
    verdict: Verdict,
    named: AtomicBool,
    early: Mutex<Option<Result<Socket, Error>>>,
    /// The host that TLS names, if it does.
    pub(crate) server_name: OnceLock<String>,
    /// Who opened it, if the kernel says so.
    pub(crate) process: Option<Process>,
    _slot: OwnedSemaphorePermit,
}

impl Accepted {
    /// Joins the connection to its flow. Without one, or if the kernel names another destination or listener, it is
    /// reset: where it was to go is never guessed.
    pub(crate) fn join(
        self,
        proxy: &Arc<Proxy>,
        slot: OwnedSemaphorePermit,
        drain: &watch::Receiver<bool>,
    ) -> Option<(Arc<Connection>, Socket)> {
        let downstream = Fate::default();
        let local = self.tcp.local_addr();
        let socket = Socket::new(self.tcp, downstream.clone());
        let local = local.inspect_err(|error| tracing::debug!(%error, "connection lost before it was read")).ok()?;
        let Some((orig_dst, verdict)) = lookup(proxy, self.child, local) else {
            downstream.reset();
            proxy.events.emit(Event::FlowUnknown { child: self.child, local });
            return None;
        };
        let connection = Connection {
            id: proxy.next_connection(),
            orig_dst,
            proxy: Arc::clone(proxy),
            downstream,
            upstream: Fate::default(),
            exchanges: Arc::default(),
            drain: drain.clone(),
            child: self.child,
            verdict,
            named: AtomicBool::new(false),
            early: Mutex::default(),
            server_name: OnceLock::new(),
            process: proxy.flows.process(self.child, local),
            _slot: slot,
        };
        let (id, child, process) = (connection.id, self.child, connection.process.clone());
        connection.emit(Event::ConnectionAccepted { connection: id, child, orig_dst, process });
        Some((Arc::new(connection), socket))
    }
}

fn lookup(proxy: &Proxy, child: SocketAddr, local: SocketAddr) -> Option<(SocketAddr, Verdict)> {
    let canonical = |addr: SocketAddr| (addr.ip().to_canonical(), addr.port());
    let flow = proxy.flows.lookup(child, local);
    flow.filter(|(orig_dst, verdict)| canonical(*orig_dst) == canonical(local) && *verdict != Verdict::Dns)
}

impl Connection {
    /// Carries the connection to its end.
    pub(crate) async fn run(self: Arc<Self>, socket: Socket) {
        if let Err(error) = Box::pin(self.carry(socket)).await {
            self.failed(&error);
        }
    }

    /// Reports that the connection ended in `error`.
    pub(crate) fn failed(&self, error: &Error) {
        self.emit(Event::ConnectionFailed { connection: self.id, side: error.side.name(), error: error.chain() });
    }

    /// Reports a fact.
    pub(crate) fn emit(&self, event: Event) {
        self.proxy.events.emit(event);
    }

    /// Ends both sides with RST.
    pub(crate) fn reset(&self) {
        self.downstream.reset();
        self.upstream.reset();
    }

    /// Notes the host name, the first time one is learnt.
    pub(crate) fn name(&self, name: &str) {
        if !self.named.swap(true, Ordering::Relaxed) {
            self.proxy.flows.name(self.child, self.orig_dst, name);
        }
    }

    /// The program that opened it: its executable, or else its thread's name.
    pub(crate) fn program(&self) -> Option<String> {
        let process = self.process.as_ref()?;
        Some(process.executable.clone().unwrap_or_else(|| process.comm.clone()))
    }

    /// Keeps what came of dialling the server before it was needed.
    pub(crate) fn keep(&self, server: Result<Socket, Error>) {
        *self.early.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }

    /// What was kept, once.
    pub(crate) fn kept(&self) -> Option<Result<Socket, Error>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether more of its exchanges may pass: not while what has passed waits to be recorded.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.proxy.tape.as_ref().map_or(Poll::Ready(()), |tape| tape.poll_room(cx))
    }

    /// Returns when the session drains.
    pub(crate) async fn drained(&self) {
        // Whoever would say so being gone means the same.
        drop(self.drain.clone().wait_for(|drain| *drain).await);
    }

    /// The address at the other end of `side`.
    pub(crate) const fn peer(&self, side: Side) -> SocketAddr {
        match side {
            Side::Downstream => self.child,
            Side::Upstream | Side::Internal => self.orig_dst,
        }
    }

    async fn carry(self: &Arc<Self>, socket: Socket) -> Result<(), Error> {
        check(self).inspect_err(|_| self.downstream.reset())?;
        if self.verdict == Verdict::Relay {
            return relay(self, socket, Content::Unread).await;
        }
        let opening = tokio::select! {
            opening = open(self, socket) => opening?,
            () = self.drained() => return Ok(()),
        };
        match opening {
            Opening::Child(Sniff::Tls, io) => Box::pin(tls::intercept(self, io)).await,
            Opening::Child(Sniff::Http1, io) => http::plain(self, Protocol::Http1, Box::new(io)).await,
            Opening::Child(Sniff::H2Preface, io) => http::plain(self, Protocol::Http2, Box::new(io)).await,
            Opening::Child(Sniff::Other | Sniff::More, io) => relay(self, io, Content::Other).await,
            Opening::Server(child, server) => relay_to(self, child, server).await,
            Opening::Nothing => Ok(()),
        }
    }
}

impl Connection {
    /// Begins an exchange, judges its head, and gives what is to be reported to `emit`.
    pub(crate) fn begin_exchange(&self, head: &RequestHead, emit: impl Fn(Event)) -> (Exchange, policy::Verdict) {
        self.name(head.host());
        let id = self.proxy.next_exchange();
        let (mut exchange, started) = Exchange::begin(self.id, id, head);
        emit(started);
        if let Some(tape) = &self.proxy.tape {
            exchange.record(self.id, head, tape);
        }
        let server_name = self.server_name.get().map(String::as_str);
        let facts = ConnFacts { orig_dst: self.orig_dst, server_name, process: self.process.as_ref() };
        let policy::Judgement { verdict, rule, reason } = self.proxy.policy.decide(head, facts);
        match (&verdict, rule) {
            (policy::Verdict::Refuse(reply), rule) => {
                let (status, reason) = (reply.status.as_u16(), reason.unwrap_or_default());
                emit(Event::ExchangeRefused { exchange: id, status, rule, reason });
            }
            (policy::Verdict::Forward(_), Some(rule)) => emit(Event::ExchangeAllowed { exchange: id, rule }),
            (policy::Verdict::Forward(_), None) => {}
        }
        (exchange, verdict)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.emit(Event::ConnectionClosed { connection: self.id });
    }
}
