//! What the rules change of an exchange, on its way through.

use std::sync::Arc;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{StatusCode, Uri};

use crate::engine::edit::{Failed, Transform};
use crate::engine::event::{Event, ExchangeId};
use crate::engine::http::{Field, RequestHead};
use crate::engine::policy::Policy;
use crate::proxy::connection::Connection;

/// An exchange as it was judged, and the rules that it keeps to its end.
pub(super) struct Editing {
    connection: Arc<Connection>,
    exchange: ExchangeId,
    policy: Arc<Policy>,
    /// The request as it came.
    head: RequestHead,
}

impl Editing {
    /// Of an exchange that `policy` lets go on.
    pub(super) fn new(
        connection: &Arc<Connection>,
        exchange: ExchangeId,
        policy: &Arc<Policy>,
        head: RequestHead,
    ) -> Self {
        Self { connection: Arc::clone(connection), exchange, policy: Arc::clone(policy), head }
    }

    /// Changes the head of the request; what is to change its body.
    pub(super) fn request(&self, parts: &mut Parts) -> Result<Option<Transform>, Failed> {
        let mut head = self.head.clone();
        let edited = self.policy.edit_request(&mut head, self.connection.facts(Some(self.head.host())))?;
        self.report(edited.rules);
        if head.fields != self.head.fields {
            parts.headers = Field::map(&head.fields);
        }
        if head.path != self.head.path {
            let mut uri = parts.uri.clone().into_parts();
            let path = head.path.parse::<PathAndQuery>().map_err(|error| Failed(error.to_string()))?;
            uri.path_and_query = Some(path);
            parts.uri = Uri::from_parts(uri).map_err(|error| Failed(error.to_string()))?;
        }
        Ok(edited.transform)
    }

    /// Changes the head of the response; what is to change its body.
    pub(super) fn response(&self, parts: &mut http::response::Parts) -> Result<Option<Transform>, Failed> {
        let (came, mut fields): (StatusCode, Vec<Field>) = (parts.status, Field::all(&parts.headers));
        let before = fields.clone();
        let facts = self.connection.facts(Some(self.head.host()));
        let mut status = came;
        let edited = self.policy.edit_response(&self.head, facts, &mut status, &mut fields)?;
        self.report(edited.rules);
        parts.status = status;
        if fields != before {
            parts.headers = Field::map(&fields);
        }
        Ok(edited.transform)
    }

    fn report(&self, rules: Vec<String>) {
        if !rules.is_empty() {
            self.connection.emit(Event::ExchangeEdited { exchange: self.exchange, rules });
        }
    }
}
