//! One connection of the child: joined to its flow, sniffed, judged, and handed to TLS, HTTP or the relay.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use agent_common::maps;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use super::dial::{check, is_stand_in};
use super::error::{Error, Kind, Side};
use super::http::{self, Protocol};
use super::io::{Fate, Socket};
use super::opening::{Opening, open};
use super::relay::{relay, relay_to};
use super::{Asking, Proxy, tls};
use crate::engine::event::{self, ConnectionId, Event, ExchangeId};
use crate::engine::http::RequestHead;
use crate::engine::http::exchange::Exchange;
use crate::engine::policy::host::comparable;
use crate::engine::policy::rules::Outlook;
use crate::engine::policy::rules::ask::{Ask, Choice};
use crate::engine::policy::rules::moment::Moment;
use crate::engine::policy::rules::rule::Word;
use crate::engine::policy::rules::subject::ConnFacts;
use crate::engine::policy::{ConnPermit, Content, Judgement, Mode, Policy, Relay, Verdict};
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
    verdict: maps::Verdict,
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

fn lookup(proxy: &Proxy, child: SocketAddr, local: SocketAddr) -> Option<(SocketAddr, maps::Verdict)> {
    let canonical = |addr: SocketAddr| (addr.ip().to_canonical(), addr.port());
    let flow = proxy.flows.lookup(child, local);
    flow.filter(|(orig_dst, verdict)| canonical(*orig_dst) == canonical(local) && *verdict != maps::Verdict::Dns)
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
        if !is_stand_in(self) {
            check(self).inspect_err(|_| self.downstream.reset())?;
        }
        if self.verdict == maps::Verdict::Relay {
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
    /// What is known of it, for what is sent to `host`, if that is known.
    pub(crate) fn facts(&self, host: Option<&str>) -> ConnFacts<'_> {
        let server_name = self.server_name.get().map(String::as_str);
        let policy = self.proxy.policy();
        let is_strict = policy.mode == Mode::Enforce && policy.checks_addresses;
        let is_elsewhere = is_strict && host.is_some_and(|host| !self.is_at(host));
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Some(Moment::at(since.as_secs()));
        ConnFacts { orig_dst: self.orig_dst, server_name, process: self.process.as_ref(), is_elsewhere, now }
    }

    /// Whether `host` is the address that it goes to, or DNS says that it is there.
    fn is_at(&self, host: &str) -> bool {
        let (host, ip) = (comparable(host), self.orig_dst.ip().to_canonical());
        let is_literal = host.parse::<IpAddr>().is_ok_and(|literal| literal.to_canonical() == ip);
        is_literal || self.proxy.flows.is_at(&host, ip)
    }

    /// The host that TLS names, as rules compare it.
    fn tls_host(&self) -> Option<String> {
        self.server_name.get().map(|name| comparable(name))
    }

    /// Why its server is not to be dialled, if so; `is_asked` if it waits for that until somebody was asked.
    pub(crate) fn kept_away(&self, is_asked: bool) -> Option<Error> {
        let host = self.tls_host();
        let facts = self.facts(host.as_deref());
        let policy = self.proxy.policy();
        let outlook = policy.foresee(host.as_deref(), Some(facts));
        let why = if !(outlook.forwards || outlook.asks && is_asked) {
            "no rule lets anything pass"
        } else if policy.mode == Mode::Enforce && facts.is_elsewhere {
            "DNS did not give this address for this host"
        } else if is_stand_in(self) {
            "nobody was asked where it is: the rules have changed since"
        } else {
            return None;
        };
        Some(Error::new(Side::Upstream, Kind::Forbidden, self.orig_dst).because(why))
    }

    /// What may become of what comes on it, as the rules are now.
    pub(crate) fn outlook(&self) -> Outlook {
        let host = self.tls_host();
        self.proxy.policy().foresee(host.as_deref(), Some(self.facts(None)))
    }

    /// Whether its bytes may pass unread, as the rules are now.
    pub(crate) fn judge_relay(&self, content: Content) -> Relay {
        let host = self.tls_host();
        self.proxy.policy().judge_relay(content, host.as_deref(), self.facts(host.as_deref()))
    }

    /// Whether its bytes may pass unread, as somebody says whom the rule of this name wants asked.
    pub(crate) async fn ask_relay(&self, rule: String, ask: Ask) -> Option<ConnPermit> {
        let host = self.tls_host().unwrap_or_else(|| self.orig_dst.to_string());
        self.emit(Event::ConnectionAsked { connection: self.id, host: host.clone(), rule: rule.clone() });
        let what = format!("a connection to {} that is not read", self.orig_dst);
        ConnPermit::answered(self.ask(rule, host, what, ask).await)
    }

    /// Whether what is asked about goes on: as somebody says, or else as the rule of this name does.
    pub(crate) async fn ask(&self, rule: String, host: String, request: String, ask: Ask) -> bool {
        let (patience, otherwise) = (ask.timeout(), ask.otherwise == Choice::Allow);
        let asking = Asking { rule, host, request, program: self.program(), ask };
        timeout(patience, self.proxy.approver.ask(asking)).await.ok().flatten().unwrap_or(otherwise)
    }

    /// Has it recorded whether its bytes passed unread.
    pub(crate) fn account_relay(&self, content: Content, passes: bool) {
        let (host, policy) = (self.tls_host(), self.proxy.policy());
        if !self.keeps_verdicts(!policy.hash.is_empty() || !passes) {
            return;
        }
        let decisive = policy.rules.decisive(host.as_deref(), self.facts(host.as_deref()));
        let word = if passes { Word::Passthrough } else { Word::Block };
        self.proxy.events.judged(event::Judged {
            connection: self.id,
            exchange: None,
            request: format!("connection to {}", self.orig_dst),
            program: self.program(),
            verdict: word.name(),
            rule: decisive.map(|(number, _)| policy.rules.name(number)),
            reason: Some(content.name().to_owned()),
            rules: policy.hash.clone(),
        });
    }

    /// Returns when rules have come that only who ends HTTP can follow.
    pub(crate) async fn outgrown(&self) {
        let mut policy = self.proxy.policy.clone();
        policy.mark_unchanged();
        while !self.outlook().works {
            if policy.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Judges a request by its head.
    pub(crate) fn judge(&self, head: &RequestHead) -> (Arc<Policy>, Judgement) {
        let policy = self.proxy.policy();
        let judgement = policy.decide(head, self.facts(Some(head.host())));
        (policy, judgement)
    }

    /// Begins an exchange whose head was judged so, and gives what is to be reported to `emit`.
    pub(crate) fn begin_exchange(
        &self,
        head: &RequestHead,
        (policy, judgement): (Arc<Policy>, Judgement),
        emit: impl Fn(Event),
    ) -> (Exchange, Judged) {
        self.name(head.host());
        let id = self.proxy.next_exchange();
        let (mut exchange, mut started) = Exchange::begin(self.id, id, head);
        let mut verdict = judged(id, &judgement);
        // Most are allowed by a rule, where there are any: that takes no event of its own.
        if let (Event::ExchangeStarted { rule, .. }, Some(Event::ExchangeAllowed { .. })) = (&mut started, &verdict) {
            rule.clone_from(&judgement.rule);
            verdict = None;
        }
        emit(started);
        if let Some(tape) = &self.proxy.tape {
            exchange.record(self.id, head, tape);
        }
        verdict.into_iter().for_each(emit);
        (exchange, self.note(id, head, policy, judgement))
    }

    /// Judges a request once more, now that its body is known, by the rules that judged it before.
    pub(crate) fn judge_read(&self, exchange: ExchangeId, head: &RequestHead, policy: &Arc<Policy>) -> Judged {
        let judgement = policy.decide(head, self.facts(Some(head.host())));
        judged(exchange, &judgement).into_iter().for_each(|event| self.emit(event));
        self.note(exchange, head, Arc::clone(policy), judgement)
    }

    /// Has a judgement recorded, unless it is none yet.
    fn note(&self, id: ExchangeId, head: &RequestHead, policy: Arc<Policy>, judgement: Judgement) -> Judged {
        if !matches!(judgement.verdict, Verdict::Read) {
            self.account(id, head, &policy, &judgement);
        }
        let Judgement { verdict, works, rule, .. } = judgement;
        Judged { policy, verdict, works, rule }
    }
}

impl Connection {
    /// Has a judgement recorded.
    pub(crate) fn account(&self, exchange: ExchangeId, head: &RequestHead, policy: &Policy, judgement: &Judgement) {
        if !self.keeps_verdicts(!policy.hash.is_empty() || judgement.reason.is_some()) {
            return;
        }
        self.proxy.events.judged(event::Judged {
            connection: self.id,
            exchange: Some(exchange),
            request: format!("{} {}", head.method, head.url()),
            program: self.program(),
            verdict: judgement.word.name(),
            rule: judgement.rule.clone(),
            reason: judgement.reason.clone(),
            rules: policy.hash.clone(),
        });
    }

    /// Whether somebody keeps verdicts; `is_told` if there is more to one than that everything passes.
    fn keeps_verdicts(&self, is_told: bool) -> bool {
        self.proxy.events.audits() || is_told && self.proxy.tape.is_some()
    }
}

/// A request's verdict, and the policy that gave it, which the exchange keeps to its end.
pub(crate) struct Judged {
    pub(crate) policy: Arc<Policy>,
    pub(crate) verdict: Verdict,
    /// The rule that says so, if one does.
    pub(crate) rule: Option<String>,
    /// Only who ends HTTP can do what rules say.
    pub(crate) works: bool,
}

/// What there is to report of a judgement: nothing of what passes because no rule is about it.
pub(crate) fn judged(exchange: ExchangeId, judgement: &Judgement) -> Option<Event> {
    let (rule, reason) = (judgement.rule.clone(), judgement.reason.clone());
    match (&judgement.verdict, judgement.word) {
        (Verdict::Refuse(reply), _) => {
            let (status, reason) = (reply.status.as_u16(), reason.unwrap_or_default());
            Some(Event::ExchangeRefused { exchange, status, rule, reason })
        }
        (Verdict::Read, _) => None,
        (Verdict::Ask(question), _) => Some(Event::ExchangeAsked { exchange, host: question.host.clone(), rule }),
        (Verdict::Mock(reply), _) => Some(Event::ExchangeMocked { exchange, status: reply.status.as_u16(), rule }),
        (Verdict::Redirect(_, redirect), _) => {
            Some(Event::ExchangeRedirected { exchange, to: redirect.to.to_string(), rule })
        }
        (Verdict::Forward(_), Word::Allow | Word::Passthrough) => {
            rule.map(|rule| Event::ExchangeAllowed { exchange, rule })
        }
        (Verdict::Forward(_), word) => Some(Event::ExchangeSpared { exchange, verdict: word.name(), rule, reason }),
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.emit(Event::ConnectionClosed { connection: self.id });
    }
}
