//! Reports what a passage learnt after the bytes that it learnt it from are on their way: whoever waits for them need
//! not wait for the report.

use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::event::Event;
use crate::engine::http::exchange::Exchange;
use crate::engine::http::verbatim::Exchanges;
use crate::engine::http::{Reply, RequestHead};
use crate::engine::policy::{ConnPermit, Permit, Verdict};
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
    fn begin(&self, head: &RequestHead) -> Option<(Exchange, Result<Permit, Reply>)> {
        let judged = self.connection.judge(head);
        if judged.1.works {
            return None;
        }
        let (exchange, Judged { verdict, .. }) = self.connection.begin_exchange(head, judged, |event| self.emit(event));
        match verdict {
            Verdict::Forward(permit) => Some((exchange, Ok(permit))),
            Verdict::Refuse(reply) => Some((exchange, Err(reply))),
            // Of those it was said that only who ends HTTP can do them.
            Verdict::Mock(_) | Verdict::Redirect(..) | Verdict::Ask(_) | Verdict::Read => None,
        }
    }

    fn permit_tunnel(&self, protocol: &str) -> Option<ConnPermit> {
        self.connection.proxy.policy().permit_tunnel(protocol)
    }

    fn emit(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        self.report();
    }
}
