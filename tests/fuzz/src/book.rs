//! Judges the exchanges of a play, and keeps what is reported of them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent::engine::event::{ConnectionId, Event, ExchangeId};
use agent::engine::http::exchange::Exchange;
use agent::engine::http::verbatim::Exchanges;
use agent::engine::http::{Reply, RequestHead};
use agent::engine::policy::rules::rule::Rule;
use agent::engine::policy::rules::subject::ConnFacts;
use agent::engine::policy::{ConnPermit, Mode, Permit, Policy, Verdict};
use http::StatusCode;

/// Judges by the mode, and refuses besides whatever has `!` in its path.
pub struct Book {
    policy: Policy,
    next: AtomicU64,
    events: Mutex<Vec<Event>>,
}

impl Book {
    /// A book in which nothing is written.
    #[must_use]
    pub fn new(mode: Mode) -> Arc<Self> {
        // All that is understood is allowed.
        let rule: Rule = toml::from_str("verdict = 'allow'").expect("a rule");
        let policy = Policy { rules: vec![rule].into(), ..Policy::new(mode) };
        Arc::new(Self { policy, next: AtomicU64::new(1), events: Mutex::default() })
    }

    /// What was reported so far, in order.
    pub fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchanges for Book {
    fn begin(&self, head: &RequestHead) -> Option<(Exchange, Result<Permit, Reply>)> {
        let id = ExchangeId(self.next.fetch_add(1, Ordering::Relaxed));
        let (exchange, started) = Exchange::begin(ConnectionId(1), id, head);
        self.emit(started);
        if head.path.contains('!') {
            return Some((exchange, Err(Reply::text(StatusCode::FORBIDDEN, "choose another path"))));
        }
        let connection = ConnFacts::to(SocketAddr::from(([192, 0, 2, 1], 443)));
        match self.policy.decide(head, connection).verdict {
            Verdict::Forward(permit) => Some((exchange, Ok(permit))),
            Verdict::Refuse(reply) => Some((exchange, Err(reply))),
            verdict => panic!("the mode alone does not say {verdict:?}"),
        }
    }

    fn permit_tunnel(&self, protocol: &str) -> Option<ConnPermit> {
        self.policy.permit_tunnel(protocol)
    }

    fn emit(&self, event: Event) {
        self.events().push(event);
    }
}
