//! Reports what a passage learnt after the bytes that it learnt it from are on their way: whoever waits for them need
//! not wait for the report.

use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;

use crate::engine::event::Event;
use crate::engine::http::exchange::Exchange;
use crate::engine::http::verbatim::Exchanges;
use crate::engine::http::{Reply, RequestHead};
use crate::engine::policy::{ConnPermit, Verdict};
use crate::proxy::connection::{Connection, Judged};

/// The exchanges of a connection, and what is to be reported of them.
pub(super) struct Later {
    connection: Arc<Connection>,
    events: Mutex<Vec<Event>>,
}

impl Later {
    /// Nothing to report yet.
    pub(super) fn new(connection: &Arc<Connection>) -> Self {
        Self { connection: Arc::clone(connection), events: Mutex::default() }
    }

    /// Reports what there is, in the order in which it was learnt.
    pub(super) fn report(&self) {
        let events = std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner));
        events.into_iter().for_each(|event| self.connection.emit(event));
    }
}

impl Exchanges for Later {
    fn begin(&self, head: &RequestHead) -> (Exchange, Verdict) {
        let (exchange, judged) = self.connection.begin_exchange(head, |event| self.emit(event));
        match judged {
            // Rules that came while it was on its way; the connection drains.
            Judged { works: true, .. } => (exchange, Verdict::Refuse(again())),
            Judged { verdict, .. } => (exchange, verdict),
        }
    }

    fn permit_tunnel(&self, protocol: &str) -> Option<ConnPermit> {
        self.connection.proxy.policy().permit_tunnel(protocol)
    }

    fn emit(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

/// The answer to a request that only who ends HTTP can carry as the rules say.
fn again() -> Reply {
    Reply::text(StatusCode::SERVICE_UNAVAILABLE, "the session's rules have just changed: send the request again")
}

impl Drop for Later {
    fn drop(&mut self) {
        self.report();
    }
}
