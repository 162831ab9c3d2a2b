//! What may pass. Only this module makes permits, and nothing is forwarded without one. It knows no rules yet: the
//! mode alone decides, and every HTTP exchange may pass.

pub mod destination;

use agent_common::maps::PortAction;
use serde::{Deserialize, Serialize};

use crate::engine::http::RequestHead;

/// The TCP ports that the proxy reads; others it forwards unread or the kernel refuses.
pub const READ_PORTS: [u16; 2] = [80, 443];

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

/// Why the bytes of a connection would be forwarded unread. What can be read always is: its exchanges are judged one by
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// They were not looked at: the kernel's verdict was to relay them.
    Unread,
    /// Neither TLS nor HTTP, or silence.
    Other,
}

impl Content {
    /// The reason as events give it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unread => "port",
            Self::Other => "neither TLS nor HTTP",
        }
    }
}

/// Proof that the policy lets a connection's bytes pass unread.
#[derive(Debug)]
pub struct ConnPermit(());

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
    /// Judges whether a connection may be relayed; `None` if it may not.
    #[must_use]
    pub const fn permit_relay(&self, _content: Content) -> Option<ConnPermit> {
        match self.mode {
            Mode::Observe => Some(ConnPermit(())),
            Mode::Enforce => None,
        }
    }

    /// What the kernel does with a TCP port that the policy says nothing else about.
    #[must_use]
    pub const fn other_ports(&self) -> PortAction {
        match self.mode {
            Mode::Observe => PortAction::Relay,
            Mode::Enforce => PortAction::Refuse,
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
            assert!(Policy { mode: Mode::Observe }.permit_relay(content).is_some());
            assert!(Policy { mode: Mode::Enforce }.permit_relay(content).is_none());
        }
    }

    #[test]
    fn the_kernel_refuses_what_the_proxy_would_refuse() {
        assert_eq!(Policy { mode: Mode::Observe }.other_ports(), PortAction::Relay);
        assert_eq!(Policy { mode: Mode::Enforce }.other_ports(), PortAction::Refuse);
    }
}
