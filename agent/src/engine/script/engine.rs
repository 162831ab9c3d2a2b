//! A script that is loaded and can be called.

use std::time::Duration;

use http::Method;
use rquickjs::Ctx;

use super::console::LogLine;
use super::error::{Error, Fault, What};
use super::exports::Exports;
use super::handler::Handler;
use super::lists::Lists;
use super::message::{self, Fate, Message};
use super::request::{self, Action, Request};
use super::response::{self, Response};
use super::vm::Vm;
use super::{Facts, MAX_CALL, MAX_LOAD, MAX_SOURCE, Script};
use crate::engine::http::RequestHead;

/// What a script may export.
const KNOWN: [&str; 8] = [
    "onRequest",
    "onResponse",
    "onMessage",
    "blockedDomains",
    "allowedDomains",
    "mockResponses",
    "modifyResponses",
    "logRequests",
];

/// Parts of the names of what a script may export. What has one and is not known is probably misspelt.
const FAMILIAR: [&str; 4] = ["domain", "message", "request", "response"];

/// A script in a runtime of its own, for one thread. What it keeps in its variables stays from call to call.
pub struct Engine {
    // Before the machine, since what is kept of it must go first.
    parts: Parts,
    vm: Vm,
}

/// What was found in a script.
struct Parts {
    lists: Lists,
    on_request: Option<Handler>,
    on_response: Option<Handler>,
    on_message: Option<Handler>,
}

impl Engine {
    /// An engine with `script` loaded. `clock` says how long ago something was that does not change.
    ///
    /// # Errors
    /// As [`Script::new`], if the script does not do the same again.
    pub fn new(script: &Script, clock: impl Fn() -> Duration + 'static) -> Result<Self, Error> {
        Self::load(&script.name, &script.source, clock)
    }

    pub(super) fn load(name: &str, source: &str, clock: impl Fn() -> Duration + 'static) -> Result<Self, Error> {
        if source.len() > MAX_SOURCE {
            let what = What::Unusable(format!("the source is longer than {MAX_SOURCE} bytes"));
            return Err(Error { script: name.to_owned(), line: None, what });
        }
        let vm = Vm::new(name, clock)?;
        let parts = vm.run(MAX_LOAD, |ctx| Parts::of(&vm, ctx, name, source))?;
        Ok(Self { parts, vm })
    }

    pub(super) fn facts(&self) -> Facts {
        Facts {
            lists: self.parts.lists.are_about_requests(),
            on_request: self.parts.on_request.is_some(),
            on_response: self.parts.on_response.is_some(),
            on_message: self.parts.on_message.is_some(),
            answered: self.parts.lists.answered(),
            modified: self.parts.lists.modified(),
        }
    }

    /// What becomes of `request`: what the lists say, and `onRequest` if they say nothing.
    ///
    /// # Errors
    /// If `onRequest` throws, exceeds a limit, or returns what cannot be used.
    pub fn on_request(&self, request: &Request) -> Result<Action, Error> {
        if self.parts.lists.log {
            self.vm.console.write("log", format!("{} {}", request.head.method, address(&request.head)));
        }
        if let Some(action) = self.parts.lists.decide(&request.head) {
            return Ok(action);
        }
        let Some(handler) = &self.parts.on_request else { return Ok(Action::Pass) };
        self.vm.run(MAX_CALL, |ctx| {
            let shown = request::Shown::new(ctx, &request.head, request.body.as_ref())?;
            let nothing = rquickjs::Value::new_undefined(ctx.clone());
            let returned = handler.call(&self.vm, ctx, (shown.object.clone().into_value(), nothing))?;
            shown.action(&returned, request)
        })
    }

    /// What `response` to `request` becomes, if it changes: first by `modifyResponses`, if its body is there, then by
    /// `onResponse`. Fields that belong to a connection are as they were, so lengths may be wrong.
    ///
    /// # Errors
    /// If a function throws, exceeds a limit, or returns what cannot be used.
    pub fn on_response(&self, response: &Response, request: &RequestHead) -> Result<Option<Response>, Error> {
        let (modifier, handler) = (self.parts.lists.modifier(request.host()), &self.parts.on_response);
        if modifier.is_none() && handler.is_none() {
            return Ok(None);
        }
        let changed = self.vm.run(MAX_CALL, |ctx| {
            let mut changed = response.clone();
            if let Some(modifier) = modifier {
                changed = response::modified((&self.vm, ctx), modifier, changed)?;
            }
            if let Some(handler) = handler {
                let request = request::Shown::new(ctx, request, None)?.object;
                changed = response::handled((&self.vm, ctx), handler, changed, request)?;
            }
            Ok(changed)
        })?;
        Ok((changed != *response).then_some(changed))
    }

    /// What becomes of `message` of the exchange that `request` began.
    ///
    /// # Errors
    /// If `onMessage` throws, exceeds a limit, or returns what cannot be used.
    pub fn on_message(&self, message: &Message<'_>, request: &RequestHead) -> Result<Fate, Error> {
        let Some(handler) = self.parts.on_message.as_ref().filter(|_| message.is_shown()) else {
            return Ok(Fate::Pass);
        };
        self.vm.run(MAX_CALL, |ctx| {
            let shown = message::Shown::new(ctx, message)?;
            let request = request::Shown::new(ctx, request, None)?.object;
            let returned = handler.call(&self.vm, ctx, (shown.object.clone().into_value(), request.into_value()))?;
            shown.fate(&returned, message)
        })
    }

    /// What the script has written to its console since the last time, loading included, whether calls failed or not.
    #[must_use]
    pub fn take_log(&self) -> Vec<LogLine> {
        self.vm.console.take()
    }
}

impl Parts {
    fn of(vm: &Vm, ctx: &Ctx<'_>, name: &str, source: &str) -> Result<Self, Fault> {
        let exports = Exports::of(vm, ctx, name, source)?;
        let (known, unknown): (Vec<String>, Vec<String>) =
            exports.names()?.into_iter().partition(|name| KNOWN.contains(&name.as_str()));
        if known.is_empty() && !KNOWN.iter().any(|name| exports.member(name).is_ok_and(|member| member.is_some())) {
            return Fault::unusable(format!("exports none of {}", KNOWN.join(", ")));
        }
        let is_familiar = |name: &String| FAMILIAR.iter().any(|part| name.to_ascii_lowercase().contains(part));
        for name in unknown.into_iter().filter(is_familiar) {
            vm.console.write("warn", format!("what is exported as {name} means nothing here"));
        }
        Ok(Self {
            lists: Lists::of(&exports)?,
            on_request: exports.function("onRequest")?,
            on_response: exports.function("onResponse")?,
            on_message: exports.function("onMessage")?,
        })
    }
}

/// What a request is logged as.
fn address(head: &RequestHead) -> String {
    if head.method == Method::CONNECT { head.authority.clone() } else { head.url() }
}
