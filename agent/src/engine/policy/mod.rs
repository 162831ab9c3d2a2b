//! What may pass. Only this module makes permits, and nothing is forwarded without one. It knows no rules yet: the
//! mode alone decides, and every HTTP exchange may pass.

pub mod destination;

use serde::{Deserialize, Serialize};

use crate::engine::http::RequestHead;

/// How strict the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// All TCP passes and is recorded.
    Observe,
    /// What is not understood does not pass.
    Enforce,
}

impl Mode {
    /// The word that the command line and output use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Enforce => "enforce",
        }
    }
}

/// The compiled policy of a session.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How strict it is.
    pub mode: Mode,
}

/// What a connection carries, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Its bytes were not looked at: the kernel's verdict was to relay it.
    Unread,
    /// TLS.
    Tls,
    /// HTTP/1 or HTTP/2.
    Http,
    /// Neither, or silence.
    Other,
}

/// What is known when a connection is judged.
#[derive(Clone, Copy, Debug)]
pub struct ConnFacts {
    /// What it carries.
    pub content: Content,
}

/// The judgement of a connection.
#[derive(Debug)]
pub enum ConnVerdict {
    /// Read it; its exchanges are judged one by one.
    Intercept,
    /// Forward its bytes unread.
    Relay(ConnPermit),
    /// Reset it; the text says why it would have been relayed.
    Refuse(&'static str),
}

/// Proof that the policy lets a connection's bytes pass unread.
#[derive(Debug)]
pub struct ConnPermit {
    reason: &'static str,
}

impl ConnPermit {
    /// Why the connection is relayed.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}

/// The judgement of a request.
#[derive(Debug)]
pub enum Verdict {
    /// Send it upstream.
    Forward(Permit),
}

/// Proof that the policy lets a request pass.
#[derive(Debug)]
pub struct Permit(());

impl Policy {
    /// Judges a connection.
    #[must_use]
    pub const fn decide_connection(&self, facts: &ConnFacts) -> ConnVerdict {
        let reason = match facts.content {
            Content::Tls | Content::Http => return ConnVerdict::Intercept,
            Content::Unread => "port",
            Content::Other => "neither TLS nor HTTP",
        };
        match self.mode {
            Mode::Observe => ConnVerdict::Relay(ConnPermit { reason }),
            Mode::Enforce => ConnVerdict::Refuse(reason),
        }
    }

    /// Judges a request by its head.
    #[must_use]
    pub const fn decide(&self, _head: &RequestHead) -> Verdict {
        Verdict::Forward(Permit(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_observe_relays() {
        for content in [Content::Unread, Content::Other] {
            let facts = ConnFacts { content };
            assert!(matches!(Policy { mode: Mode::Observe }.decide_connection(&facts), ConnVerdict::Relay(_)));
            assert!(matches!(Policy { mode: Mode::Enforce }.decide_connection(&facts), ConnVerdict::Refuse(_)));
        }
    }

    #[test]
    fn both_modes_intercept_what_they_can_read() {
        for mode in [Mode::Observe, Mode::Enforce] {
            for content in [Content::Tls, Content::Http] {
                let verdict = Policy { mode }.decide_connection(&ConnFacts { content });
                assert!(matches!(verdict, ConnVerdict::Intercept));
            }
        }
    }
}
