//! What a script says without functions of ours: hosts that are blocked or allowed, answers in the place of servers, and
//! functions that modify the bodies of hosts. They are read once, when the script is loaded.

use http::Method;
use rquickjs::{Object, Value};

use super::error::Fault;
use super::exports::Exports;
use super::handler::Handler;
use super::hosts::Hosts;
use super::request::Action;
use super::target::Target;
use super::{MAX_ENTRIES, reply};
use crate::engine::http::{Reply, RequestHead};
use crate::engine::policy::rules::rule::Block;

/// The lists of a script.
pub(super) struct Lists {
    blocked: Vec<(String, Hosts)>,
    allowed: Vec<(String, Hosts)>,
    answers: Vec<(Target, Reply)>,
    /// What modifies bodies, the most particular hosts first.
    modifiers: Vec<(Hosts, Handler)>,
    /// Whether requests are written to the console.
    pub(super) log: bool,
}

impl Lists {
    /// Those that are exported.
    pub(super) fn of(exports: &Exports<'_>) -> Result<Self, Fault> {
        let mut answers = entries(exports, "mockResponses", |_, key, value| {
            let target = Target::parse(key).map_err(|why| Fault::Unusable(format!("mockResponses[{key:?}]: {why}")))?;
            Ok((target, reply::respond(value, &format!("mockResponses[{key:?}]"))?))
        })?;
        let mut modifiers = entries(exports, "modifyResponses", |owner, key, value| {
            let Some(function) = value.as_function() else {
                return Fault::unusable(format!("modifyResponses[{key:?}] is no function"));
            };
            Ok((parse(key, &format!("modifyResponses[{key:?}]"))?, Handler::new(owner, function)))
        })?;
        answers.sort_by_key(|(target, _)| std::cmp::Reverse(target.weight()));
        modifiers.sort_by_key(|(hosts, _)| std::cmp::Reverse(hosts.weight()));
        Ok(Self {
            blocked: hosts(exports, "blockedDomains")?,
            allowed: hosts(exports, "allowedDomains")?,
            answers,
            modifiers,
            log: flag(exports, "logRequests")?,
        })
    }

    /// What they say of a request, if they say anything.
    pub(super) fn decide(&self, head: &RequestHead) -> Option<Action> {
        let host = head.host();
        let block = |reason: String| Some(Action::Block(Block { reason: Some(reason), ..Block::default() }));
        if let Some((name, _)) = self.blocked.iter().find(|(_, hosts)| hosts.matches(host)) {
            return block(format!("`{name}` is in blockedDomains of the script"));
        }
        if !self.allowed.is_empty() && !self.allowed.iter().any(|(_, hosts)| hosts.matches(host)) {
            return block(format!("`{host}` is not in allowedDomains of the script"));
        }
        // A success would turn a request for a tunnel into one, with nobody at its other end.
        let (_, reply) =
            self.answers.iter().find(|(target, _)| head.method != Method::CONNECT && target.matches(head))?;
        Some(Action::Respond(reply.clone()))
    }

    /// What modifies the bodies of `host`.
    pub(super) fn modifier(&self, host: &str) -> Option<&Handler> {
        self.modifiers.iter().find(|(hosts, _)| hosts.matches(host)).map(|(_, handler)| handler)
    }

    /// The hosts in whose place they answer; an answer for a path alone names none.
    pub(super) fn answered(&self) -> Vec<Hosts> {
        self.answers.iter().filter_map(|(target, _)| target.host().cloned()).collect()
    }

    /// The hosts whose bodies are modified.
    pub(super) fn modified(&self) -> Vec<Hosts> {
        self.modifiers.iter().map(|(hosts, _)| hosts.clone()).collect()
    }

    /// Whether they say anything of requests.
    pub(super) const fn are_about_requests(&self) -> bool {
        !self.blocked.is_empty() || !self.allowed.is_empty() || !self.answers.is_empty() || self.log
    }
}

fn flag(exports: &Exports<'_>, name: &str) -> Result<bool, Fault> {
    let Some((_, value)) = exports.member(name)? else { return Ok(false) };
    value.as_bool().ok_or_else(|| Fault::Unusable(format!("{name} is neither true nor false")))
}

/// A list of names of hosts.
fn hosts(exports: &Exports<'_>, name: &str) -> Result<Vec<(String, Hosts)>, Fault> {
    let Some((_, value)) = exports.member(name)? else { return Ok(Vec::new()) };
    let Some(array) = value.as_array().filter(|array| array.len() <= MAX_ENTRIES) else {
        return Fault::unusable(format!("{name} is no array of at most {MAX_ENTRIES} names"));
    };
    let entry = |(number, value): (usize, rquickjs::Result<Value<'_>>)| {
        let value = value?;
        let place = format!("{name}[{number}]");
        let Some(text) = value.as_string() else { return Fault::unusable(format!("{place} is no string")) };
        let text = text.to_string()?;
        Ok((text.clone(), parse(&text, &place)?))
    };
    array.iter().enumerate().map(entry).collect()
}

/// The members of an object, read by `read`, which is given the object, a key and its value.
fn entries<'js, T>(
    exports: &Exports<'js>,
    name: &str,
    read: impl Fn(&Object<'js>, &str, &Value<'js>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let Some((_, value)) = exports.member(name)? else { return Ok(Vec::new()) };
    let object = value.as_object().filter(|object| !object.is_array() && object.len() <= MAX_ENTRIES);
    let Some(object) = object else {
        return Fault::unusable(format!("{name} is no object of at most {MAX_ENTRIES} members"));
    };
    let entry = |property: rquickjs::Result<(String, Value<'js>)>| {
        let (key, value) = property?;
        read(object, &key, &value)
    };
    object.props::<String, Value<'js>>().map(entry).collect()
}

fn parse(text: &str, place: &str) -> Result<Hosts, Fault> {
    text.parse().map_err(|error| Fault::Unusable(format!("{place}: {error}")))
}
