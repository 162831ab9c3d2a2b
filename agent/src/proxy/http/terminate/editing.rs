//! What the rules change of an exchange, on its way through.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, StatusCode, Uri, header};

use crate::engine::decode::stream::Kind;
use crate::engine::edit::{Change, Content, Failed, Transform, prepare};
use crate::engine::event::{Event, ExchangeId};
use crate::engine::http::exchange::Direction;
use crate::engine::http::{Field, Reply, RequestHead};
use crate::engine::policy::rules::ask::Choice;
use crate::engine::policy::rules::rule::Word;
use crate::engine::policy::rules::subject::Subject;
use crate::engine::policy::{Judgement, Policy, Verdict};
use crate::engine::script::{Action, Fate, Message, Request, Response, Script};
use crate::proxy::connection::{Connection, judged};
use crate::proxy::script::Running;

/// An exchange as it was judged, and the rules that it keeps to its end.
pub(super) struct Editing {
    connection: Arc<Connection>,
    exchange: ExchangeId,
    policy: Arc<Policy>,
    /// The request as it came.
    head: RequestHead,
    scripts: Vec<Scripted>,
}

/// A script that is about the exchange.
struct Scripted {
    rule: String,
    running: Running,
    on_error: Choice,
    wants: Wants,
}

/// What a script wants to see.
#[expect(clippy::struct_excessive_bools, reason = "four questions, each with an answer of its own")]
struct Wants {
    requests: bool,
    request_bodies: bool,
    responses: bool,
    messages: bool,
}

/// What becomes of a body.
pub(super) enum Shaped {
    /// It passes as it comes, changed by this.
    Stream(Option<Box<Transform>>),
    /// All of it is this.
    Whole(Bytes),
}

/// Why a message does not go on.
pub(super) enum Stop<E> {
    /// It is refused with this.
    Refuse(Reply),
    /// It is answered with this, as if by the server.
    Mock(Reply),
    /// What rules want cannot be done.
    Failed(Failed),
    /// Its body did not come.
    Lost(E),
}

impl Editing {
    /// Of an exchange that `policy` lets go on.
    pub(super) fn new(
        connection: &Arc<Connection>,
        exchange: ExchangeId,
        policy: &Arc<Policy>,
        head: RequestHead,
    ) -> Self {
        let scripted = |(rule, script, on_error): (String, &Script, Choice)| {
            let running = connection.proxy.scripts.running(script, &connection.proxy.events);
            let wants = Wants {
                requests: script.wants_requests(),
                request_bodies: script.wants_request_bodies(),
                responses: script.wants_responses(head.host()),
                messages: script.wants_messages(),
            };
            Scripted { rule, running, on_error, wants }
        };
        let subject = Subject::new(&head, connection.facts(Some(head.host())));
        let scripts = policy.rules.scripts(&subject).into_iter().map(scripted).collect();
        Self { connection: Arc::clone(connection), exchange, policy: Arc::clone(policy), head, scripts }
    }

    /// Changes the head of the request, and says what becomes of its body, all of which `gather` gives if it is needed.
    pub(super) async fn request<E>(
        &self,
        parts: &mut Parts,
        has_body: bool,
        gather: impl AsyncFnOnce(Transform) -> Result<Bytes, E>,
    ) -> Result<Shaped, Stop<E>> {
        let mut head = self.head.clone();
        let facts = self.connection.facts(Some(self.head.host()));
        let edited = self.policy.edit_request(&mut head, facts, self.messages()).map_err(Stop::Failed)?;
        self.report(edited.rules);
        let mut transform = edited.transform;
        let is_stream = head.tunnel.is_some() || Kind::of(Direction::Request, &head.fields, None, None).is_some();
        let is_wanted = self.scripts.iter().any(|scripted| scripted.wants.request_bodies);
        let is_whole = transform.as_ref().is_some_and(Transform::is_whole) || is_wanted && !is_stream;
        let mut whole = None;
        if has_body && is_whole {
            let plain = || Transform::new(Direction::Request, &self.head.fields, None, None, Vec::new());
            let transform = transform.take().unwrap_or_else(plain);
            transform.mend(&mut head.fields);
            whole = Some(gather(transform).await.map_err(Stop::Lost)?);
        }
        for scripted in self.scripts.iter().filter(|scripted| scripted.wants.requests) {
            self.ask(scripted, &mut head, &mut whole).map_err(|stop| match stop {
                Stop::Refuse(reply) => Stop::Refuse(reply),
                Stop::Mock(reply) => Stop::Mock(reply),
                Stop::Failed(failed) | Stop::Lost(failed) => Stop::Failed(failed),
            })?;
        }
        if self.policy.rules.changes_responses(Subject::new(&self.head, facts).host()) {
            prepare(&mut head.fields);
        }
        write(&head, &self.head, parts).map_err(Stop::Failed)?;
        Ok(match whole {
            Some(body) => {
                parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
                Shaped::Whole(body)
            }
            None => Shaped::Stream(transform.map(Box::new)),
        })
    }

    /// Asks a script about the request.
    fn ask(&self, scripted: &Scripted, head: &mut RequestHead, whole: &mut Option<Bytes>) -> Result<(), Stop<Failed>> {
        let request = Request { head: head.clone(), body: whole.clone() };
        let action = match scripted.running.call(move |engine| engine.on_request(&request)) {
            Err(_) if scripted.on_error == Choice::Allow => return Ok(()),
            action => action.map_err(Stop::Failed)?,
        };
        let rule = scripted.rule.clone();
        match action {
            Action::Pass => return Ok(()),
            Action::Change(changed) => {
                let Request { head: changed, body } = *changed;
                *head = changed;
                if let Some(body) = body {
                    *whole = Some(body);
                }
                self.report(vec![rule]);
                return Ok(());
            }
            Action::Block(block) => {
                let facts = self.connection.facts(Some(self.head.host()));
                let judgement = self.policy.scripted(&self.head, facts, &rule, &block);
                self.account(&judgement);
                if let Verdict::Refuse(reply) = judgement.verdict {
                    return Err(Stop::Refuse(reply));
                }
            }
            Action::Respond(reply) => {
                let (verdict, word) = (Verdict::Mock(reply.clone()), Word::Mock);
                self.account(&Judgement { verdict, word, rule: Some(rule), reason: None, works: true });
                return Err(Stop::Mock(reply));
            }
        }
        Ok(())
    }

    /// Changes the head of the response, and says what becomes of its body, as [`Editing::request`] does.
    pub(super) async fn response<E>(
        &self,
        parts: &mut http::response::Parts,
        has_body: bool,
        gather: impl AsyncFnOnce(Transform) -> Result<Bytes, E>,
    ) -> Result<Shaped, Stop<E>> {
        let came = parts.status;
        let (mut status, mut fields) = (came, Field::all(&parts.headers));
        let before = fields.clone();
        let facts = self.connection.facts(Some(self.head.host()));
        let head = (&mut status, &mut fields);
        let edited = self.policy.edit_response(&self.head, facts, head, self.messages()).map_err(Stop::Failed)?;
        self.report(edited.rules);
        let mut transform = edited.transform;
        let tunnel = self.head.tunnel.as_deref();
        let response = Some((came.as_u16(), &before[..]));
        let is_stream = came == StatusCode::SWITCHING_PROTOCOLS
            || Kind::of(Direction::Response, &self.head.fields, tunnel, response).is_some();
        let asked = || self.scripts.iter().filter(|scripted| scripted.wants.responses);
        let is_whole = transform.as_ref().is_some_and(Transform::is_whole) || asked().next().is_some() && !is_stream;
        let mut whole = None;
        if has_body && is_whole {
            let plain = || Transform::new(Direction::Response, &self.head.fields, tunnel, response, Vec::new());
            let transform = transform.take().unwrap_or_else(plain);
            transform.mend(&mut fields);
            whole = Some(gather(transform).await.map_err(Stop::Lost)?);
        }
        for scripted in asked() {
            let (response, request) =
                (Response { status, fields: fields.clone(), body: whole.clone() }, self.head.clone());
            match scripted.running.call(move |engine| engine.on_response(&response, &request)) {
                Err(_) if scripted.on_error == Choice::Allow => {}
                Err(failed) => return Err(Stop::Failed(failed)),
                Ok(None) => {}
                Ok(Some(changed)) => {
                    (status, fields) = (changed.status, changed.fields);
                    whole = changed.body.or(whole);
                    self.report(vec![scripted.rule.clone()]);
                }
            }
        }
        parts.status = status;
        if fields != before {
            parts.headers = Field::map(&fields);
        }
        Ok(match whole {
            Some(body) => {
                parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
                Shaped::Whole(body)
            }
            None => Shaped::Stream(transform.map(Box::new)),
        })
    }

    /// What scripts make of messages.
    fn messages(&self) -> Vec<Box<dyn Change>> {
        let wanting = self.scripts.iter().filter(|scripted| scripted.wants.messages);
        let told = wanting.map(|scripted| {
            let Scripted { running, on_error, .. } = scripted;
            Box::new(Told { running: running.clone(), on_error: *on_error, request: self.head.clone() })
                as Box<dyn Change>
        });
        told.collect()
    }

    fn report(&self, rules: Vec<String>) {
        if !rules.is_empty() {
            self.connection.emit(Event::ExchangeEdited { exchange: self.exchange, rules });
        }
    }

    fn account(&self, judgement: &Judgement) {
        if let Some(event) = judged(self.exchange, judgement) {
            self.connection.emit(event);
        }
        self.connection.account(self.exchange, &self.head, &self.policy, judgement);
    }
}

/// A script that is told of messages.
struct Told {
    running: Running,
    on_error: Choice,
    request: RequestHead,
}

impl Change for Told {
    fn change(&mut self, content: &Content<'_>) -> Result<Option<Vec<u8>>, Failed> {
        let Some(kind) = content.message else { return Ok(Some(content.payload.to_vec())) };
        let (direction, payload, request) = (content.direction, content.payload.to_vec(), self.request.clone());
        let called = self
            .running
            .call(move |engine| engine.on_message(&Message { direction, kind, payload: &payload }, &request));
        match called {
            Ok(Fate::Pass) => Ok(Some(content.payload.to_vec())),
            Ok(Fate::Change(changed)) => Ok(Some(changed.to_vec())),
            Ok(Fate::Drop) => Ok(None),
            Err(_) if self.on_error == Choice::Allow => Ok(Some(content.payload.to_vec())),
            Err(failed) => Err(failed),
        }
    }
}

/// Gives a request the head that it is to have, in the place of the one that it came with.
fn write(head: &RequestHead, came: &RequestHead, parts: &mut Parts) -> Result<(), Failed> {
    if head.fields != came.fields {
        parts.headers = Field::map(&head.fields);
    }
    parts.method = head.method.clone();
    if head.path != came.path {
        let mut uri = parts.uri.clone().into_parts();
        uri.path_and_query = Some(head.path.parse::<PathAndQuery>().map_err(|error| Failed(error.to_string()))?);
        parts.uri = Uri::from_parts(uri).map_err(|error| Failed(error.to_string()))?;
    }
    Ok(())
}
