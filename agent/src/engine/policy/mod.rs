//! What may pass. Only this module makes permits, and nothing is forwarded without one. Rules decide about HTTP
//! exchanges, the mode about everything else; DNS queries have limits.

pub mod destination;
pub mod host;
pub mod packets;
pub mod query;
mod refusal;
pub mod rules;

use std::time::Instant;

use agent_common::maps::PortAction;
use http::Method;
use serde::{Deserialize, Serialize};

use self::query::QueryPolicy;
use self::refusal::Why;
use self::rules::Rules;
use self::rules::rule::{self, Block, Status};
use self::rules::subject::{ConnFacts, Subject};
use crate::engine::http::{Reply, RequestHead};

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

    /// What a session of this mode does about pinned hosts, unless it is told otherwise.
    #[must_use]
    pub const fn on_pinned(self) -> OnPinned {
        match self {
            Self::Observe => OnPinned::Passthrough,
            Self::Enforce => OnPinned::Refuse,
        }
    }
}

/// What happens to further connections to a host for which a client has refused our certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnPinned {
    /// They pass unread.
    Passthrough,
    /// They are intercepted as before, and fail as before.
    Refuse,
}

/// How the HTTP of a connection is carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// Its bytes pass as they came, and are read beside.
    #[default]
    Verbatim,
    /// It ends here and begins anew on the other side.
    Terminate,
}

/// What the sender of something refused sees, where there is an answer to give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Refuse {
    /// RST, or ICMP port unreachable, at once: programs fall back to what is allowed.
    #[default]
    Answer,
    /// Nothing, as where there is nobody.
    Drop,
}

/// The compiled policy of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Policy {
    /// How strict it is.
    pub mode: Mode,
    /// How HTTP is carried.
    pub carrier: Carrier,
    /// What it does about clients that refuse our certificate.
    pub on_pinned: OnPinned,
    /// What the kernel answers to what it refuses.
    pub refuse: Refuse,
    /// What the user says of requests.
    pub rules: Rules,
}

/// Why the bytes of a connection would be forwarded unread. What can be read always is: its exchanges are judged one by
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// They were not looked at: the kernel's verdict was to relay them.
    Unread,
    /// Neither TLS nor HTTP, or silence.
    Other,
    /// It was HTTP and became something else.
    Tunnel,
    /// TLS whose client refuses our certificate.
    Pinned,
}

impl Content {
    /// The reason as events give it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unread => "port",
            Self::Other => "neither TLS nor HTTP",
            Self::Tunnel => "no longer HTTP",
            Self::Pinned => "its client refused our certificate",
        }
    }
}

/// Proof that the policy lets a connection's bytes pass unread.
#[derive(Debug)]
pub struct ConnPermit(());

/// The judgement of a request, and who made it.
#[derive(Debug)]
pub struct Judgement {
    /// What becomes of it.
    pub verdict: Verdict,
    /// The rule that says so, if one does.
    pub rule: Option<String>,
    /// Why it is refused, if it is.
    pub reason: Option<String>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Verdict {
    /// Send it upstream.
    Forward(Permit),
    /// Answer it with this instead.
    Refuse(Reply),
}

/// Proof that the policy lets a request pass.
#[derive(Debug)]
pub struct Permit(());

impl Policy {
    /// What a mode means where nothing else is said.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        let (carrier, refuse) = (Carrier::Verbatim, Refuse::Answer);
        Self { mode, carrier, on_pinned: mode.on_pinned(), refuse, rules: Rules::default() }
    }

    /// Judges whether a connection may be relayed; `None` if it may not.
    #[must_use]
    pub const fn permit_relay(&self, content: Content) -> Option<ConnPermit> {
        let permitted = match content {
            Content::Unread | Content::Other | Content::Tunnel => matches!(self.mode, Mode::Observe),
            Content::Pinned => matches!(self.on_pinned, OnPinned::Passthrough),
        };
        if permitted { Some(ConnPermit(())) } else { None }
    }

    /// What the kernel does with a TCP port that the policy says nothing else about.
    #[must_use]
    pub const fn other_ports(&self) -> PortAction {
        match self.mode {
            Mode::Observe => PortAction::Relay,
            Mode::Enforce => PortAction::Refuse,
        }
    }

    /// Judges whether a connection or stream that spoke HTTP may go on as a tunnel for `protocol`, empty for one that
    /// has no name; `None` if it may not. What WebSockets carry is read.
    #[must_use]
    pub fn permit_tunnel(&self, protocol: &str) -> Option<ConnPermit> {
        let read = protocol.eq_ignore_ascii_case("websocket");
        if read { Some(ConnPermit(())) } else { self.permit_relay(Content::Tunnel) }
    }

    /// What judges the DNS queries of the session, which begins `now`.
    #[must_use]
    pub fn queries(&self, now: Instant) -> QueryPolicy {
        QueryPolicy::new(self.mode, now)
    }

    /// Judges a request by its head, on a connection: the first rule that is about it decides; what no rule is about goes
    /// on, but for tunnels that would carry what is not read. Where there are rules, a request must name the host that TLS
    /// named.
    #[must_use]
    pub fn decide(&self, head: &RequestHead, connection: ConnFacts<'_>) -> Judgement {
        let subject = Subject::new(head, connection);
        if !self.rules.all().is_empty() && subject.is_misdirected() {
            return refuse(&subject, None, &misdirected());
        }
        let Some((number, rule)) = self.rules.first(&subject) else { return self.decide_unruled(&subject) };
        let name = self.rules.name(number);
        match &rule.verdict {
            rule::Verdict::Allow => Judgement { rule: Some(name), ..self.decide_unruled(&subject) },
            rule::Verdict::Block(block) => refuse(&subject, Some(name), block),
        }
    }

    fn decide_unruled(&self, subject: &Subject<'_>) -> Judgement {
        match &subject.head.tunnel {
            // An upgrade is judged when the server agrees to it: most do not.
            Some(protocol) if subject.head.method == Method::CONNECT && self.permit_tunnel(protocol).is_none() => {
                let block = Block {
                    reason: Some("a tunnel would carry what is not read".into()),
                    suggestion: Some("run the session in observe mode, or request the resource without CONNECT".into()),
                    ..Block::default()
                };
                refuse(subject, None, &block)
            }
            _ => Judgement { verdict: Verdict::Forward(Permit(())), rule: None, reason: None },
        }
    }
}

/// The answer to a request for another host than TLS named (RFC 9110 section 15.5.20): browsers that use a connection for
/// several hosts then open another one.
fn misdirected() -> Block {
    Block {
        status: Status::try_from(421).ok(),
        reason: Some("the request names another host than TLS did".into()),
        suggestion: Some("send it on a connection of its own".into()),
        ..Block::default()
    }
}

fn refuse(subject: &Subject<'_>, rule: Option<String>, block: &Block) -> Judgement {
    let reason = block.reason.as_deref().unwrap_or("a rule of this session forbids it");
    let suggestion = block.suggestion.as_deref().unwrap_or("ask whoever runs the session to allow it");
    let reply = refusal::reply(subject, Why { rule: rule.as_deref(), reason, suggestion }, block);
    Judgement { verdict: Verdict::Refuse(reply), rule, reason: Some(reason.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_are_rules_a_request_names_the_host_that_tls_named() {
        use rules::subject::tests::{connection, head};
        let rules: Vec<rule::Rule> = vec![toml::from_str("match.host = 'b.example'\nverdict = 'block'").unwrap()];
        let with = Policy { rules: rules.into(), ..Policy::new(Mode::Observe) };
        let without = Policy::new(Mode::Enforce);
        let connect = RequestHead { tunnel: Some(String::new()), ..head("CONNECT", "c.example:443", &[]) };
        for (server_name, head, expect) in [
            (Some("a.example"), head("GET", "A.example.:443/", &[]), None),
            (Some("a.example"), head("GET", "c.example/", &[]), Some(421)),
            (Some("a.example"), head("GET", "b.example/", &[]), Some(421)),
            (Some("b.example"), head("GET", "b.example/", &[]), Some(403)),
            (Some("a.example"), connect, None),
            (None, head("GET", "c.example/", &[]), None),
        ] {
            let facts = ConnFacts { server_name, ..connection() };
            let status = |policy: &Policy| match policy.decide(&head, facts).verdict {
                Verdict::Refuse(reply) => Some(reply.status.as_u16()),
                Verdict::Forward(_) => None,
            };
            assert_eq!(status(&with), expect, "{server_name:?} {}", head.url());
            let is_connect = head.method == Method::CONNECT;
            assert_eq!(status(&without), is_connect.then_some(403), "{server_name:?} {}", head.url());
        }
    }

    #[test]
    fn only_observe_relays() {
        for content in [Content::Unread, Content::Other, Content::Tunnel, Content::Pinned] {
            assert!(Policy::new(Mode::Observe).permit_relay(content).is_some());
            assert!(Policy::new(Mode::Enforce).permit_relay(content).is_none());
        }
    }

    #[test]
    fn what_happens_to_pinned_hosts_can_be_chosen_in_either_mode() {
        for mode in [Mode::Observe, Mode::Enforce] {
            let open = Policy { on_pinned: OnPinned::Passthrough, ..Policy::new(mode) };
            let shut = Policy { on_pinned: OnPinned::Refuse, ..Policy::new(mode) };
            assert!(open.permit_relay(Content::Pinned).is_some());
            assert!(shut.permit_relay(Content::Pinned).is_none());
        }
    }

    #[test]
    fn the_kernel_refuses_what_the_proxy_would_refuse() {
        assert_eq!(Policy::new(Mode::Observe).other_ports(), PortAction::Relay);
        assert_eq!(Policy::new(Mode::Enforce).other_ports(), PortAction::Refuse);
    }
}
