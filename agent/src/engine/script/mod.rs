//! Scripts: JavaScript of the user's that decides about requests and changes requests, responses and messages, in QuickJS.
//!
//! A script is the user's own and is trusted as the rules are: its limits are there so that a mistake in it ends a call
//! and not the session, not to hold an enemy. It computes and nothing else: there are no files, sockets, timers or modules,
//! and no source but the one that is given is compiled. What QuickJS itself has from outside is the time of day in `Date`,
//! its zone, and the seed of `Math.random`. QuickJS is written in C, and parses the source in the process that runs it.

mod body;
mod console;
mod engine;
mod error;
mod exports;
mod handler;
mod headers;
mod hosts;
mod lists;
mod message;
mod reply;
mod request;
mod response;
mod target;
#[cfg(test)]
mod tests;
mod vm;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::console::{Level, LogLine};
pub use self::engine::Engine;
pub use self::error::{Error, What};
pub use self::hosts::Hosts;
pub use self::message::{Fate, Message};
pub use self::request::{Action, Request};
pub use self::response::Response;

/// The longest source, in bytes.
pub const MAX_SOURCE: usize = 1024 * 1024;

/// Memory of one engine: the script, all that it keeps, and what a call needs.
pub const MAX_MEMORY: usize = 64 * 1024 * 1024;

/// Stack of one call, of the thread that makes it.
pub const MAX_STACK: usize = 512 * 1024;

/// The longest that one call may take.
pub const MAX_CALL: Duration = Duration::from_millis(50);

/// The longest that the script may take to be compiled and run for the first time.
pub const MAX_LOAD: Duration = Duration::from_secs(1);

/// Most bytes of a body or a message that goes to a script or comes from one.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// Most lines that wait for [`Engine::take_log`]; later ones are counted.
pub const MAX_LINES: usize = 100;

/// Most bytes of such a line, and of what an error says; the rest is cut off.
pub const MAX_LINE: usize = 4096;

/// Most names of hosts and of answers in one of the lists of a script.
pub const MAX_ENTRIES: usize = 10_000;

/// A script that has been compiled and run once: its source, and what it is about. It goes from one process to another as
/// it is, and is trusted there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Script {
    name: String,
    source: String,
    facts: Facts,
}

/// What a script is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Facts {
    /// It has lists about requests, or logs them.
    lists: bool,
    on_request: bool,
    on_response: bool,
    on_message: bool,
    /// The hosts in whose place it answers, as far as its lists name any.
    answered: Vec<Hosts>,
    /// The hosts whose responses it modifies.
    modified: Vec<Hosts>,
}

impl Script {
    /// The script `source`, which errors call `name`. It is compiled and run once, on an engine of its own; `clock` says how
    /// long ago something was that does not change.
    ///
    /// # Errors
    /// If it is no JavaScript, throws, exceeds a limit, exports nothing that is known, or exports what cannot be used.
    pub fn new(name: &str, source: &str, clock: impl Fn() -> Duration + 'static) -> Result<Self, Error> {
        let facts = Engine::load(name, source, clock)?.facts();
        Ok(Self { name: name.to_owned(), source: source.to_owned(), facts })
    }

    /// What errors call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it wants to see requests before they go on.
    #[must_use]
    pub const fn wants_requests(&self) -> bool {
        self.facts.lists || self.facts.on_request
    }

    /// Whether its lists answer some of what is sent to `host`, or to any, if that is not known.
    #[must_use]
    pub fn answers(&self, host: Option<&str>) -> bool {
        self.facts.answered.iter().any(|hosts| host.is_none_or(|host| hosts.matches(host)))
    }

    /// Whether it wants to see their bodies as well.
    #[must_use]
    pub const fn wants_request_bodies(&self) -> bool {
        self.facts.on_request
    }

    /// Whether it wants to see responses of `host`, with their bodies.
    #[must_use]
    pub fn wants_responses(&self, host: &str) -> bool {
        self.facts.on_response || self.facts.modified.iter().any(|hosts| hosts.matches(host))
    }

    /// Whether it wants to see the messages of streams.
    #[must_use]
    pub const fn wants_messages(&self) -> bool {
        self.facts.on_message
    }
}
