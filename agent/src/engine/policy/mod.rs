//! What may pass. Only this module makes permits, and nothing is forwarded without one. Rules decide about HTTP
//! exchanges, the mode about everything else; DNS queries have limits.

pub mod destination;
mod editing;
pub mod host;
mod judgement;
pub mod meter;
pub mod network;
pub mod packets;
pub mod query;
mod refusal;
pub mod rules;

use std::time::Instant;

use agent_common::maps::PortAction;
use serde::{Deserialize, Serialize};

pub use self::editing::Edited;
use self::host::comparable;
pub use self::judgement::{Judgement, Permit, Question, Verdict};
use self::network::NetworkRules;
use self::query::QueryPolicy;
use self::rules::ask::Ask;
use self::rules::rule;
use self::rules::subject::ConnFacts;
use self::rules::{Outlook, Rules};
use crate::engine::decode::protobuf::schema::Schema;

/// The TCP ports that the proxy reads; others it forwards unread or the kernel refuses.
pub const READ_PORTS: [u16; 2] = [80, 443];

/// How strict the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// All TCP passes and is recorded, but for what a rule refuses.
    Observe,
    /// Nothing passes but what a rule lets pass, and of that only what is understood.
    Enforce,
    /// All TCP passes, as in observe mode; what enforce mode would do of it is reported, and no rule does anything.
    DryRun,
}

impl Mode {
    /// The word that the command line and output use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Enforce => "enforce",
            Self::DryRun => "dry-run",
        }
    }

    /// What a session of this mode does about pinned hosts, unless it is told otherwise.
    #[must_use]
    pub const fn on_pinned(self) -> OnPinned {
        match self {
            Self::Observe | Self::DryRun => OnPinned::Passthrough,
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
    /// Whether, in enforce mode, a host must be where DNS said that it is.
    pub checks_addresses: bool,
    /// What the user says of connections.
    pub network: NetworkRules,
    /// What messages of gRPC are made of, as far as the user says.
    pub schema: Schema,
    /// What the user says of requests.
    pub rules: Rules,
    /// What tells these rules from others: a SHA-256 in hexadecimal of all that the file and those it names say. Empty
    /// where there is no file.
    pub hash: String,
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
    /// TLS that a rule lets pass unread.
    Ruled,
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
            Self::Ruled => "a rule",
        }
    }
}

/// Proof that the policy lets a connection's bytes pass unread.
#[derive(Debug)]
pub struct ConnPermit(());

impl ConnPermit {
    /// Of a connection about which somebody was asked, and said yes.
    #[must_use]
    pub const fn answered(yes: bool) -> Option<Self> {
        if yes { Some(Self(())) } else { None }
    }
}

/// What becomes of a connection whose bytes would pass unread.
#[derive(Debug)]
pub enum Relay {
    /// They pass.
    Permitted(ConnPermit),
    /// Somebody is asked, because of a rule.
    Asked {
        /// What output calls the rule.
        rule: String,
        /// How it is asked.
        ask: Ask,
    },
    /// They do not pass.
    Refused,
}

impl Relay {
    /// The permit, where nobody is asked.
    #[must_use]
    pub fn permit(self) -> Option<ConnPermit> {
        match self {
            Self::Permitted(permit) => Some(permit),
            Self::Asked { .. } | Self::Refused => None,
        }
    }
}

impl Policy {
    /// What a mode means where nothing else is said.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        let (carrier, refuse) = (Carrier::Verbatim, Refuse::Answer);
        let on_pinned = mode.on_pinned();
        Self {
            mode,
            carrier,
            on_pinned,
            refuse,
            checks_addresses: true,
            network: NetworkRules::default(),
            schema: Schema::default(),
            rules: Rules::default(),
            hash: String::new(),
        }
    }

    /// As [`Policy::new`], with a rule that allows whatever is understood.
    #[cfg(test)]
    pub(crate) fn allowing(mode: Mode) -> Self {
        let rule: rules::rule::Rule = toml::from_str("verdict = 'allow'").unwrap();
        Self { rules: vec![rule].into(), ..Self::new(mode) }
    }

    /// What may become of what comes, as far as host and connection are known.
    #[must_use]
    pub fn foresee(&self, host: Option<&str>, connection: Option<ConnFacts<'_>>) -> Outlook {
        match self.mode {
            Mode::Observe => self.rules.foresee(host, connection, true),
            Mode::Enforce => self.rules.foresee(host, connection, false),
            Mode::DryRun => Outlook { forwards: true, ..Outlook::default() },
        }
    }

    /// Judges whether a connection to `host`, if that is known, may be relayed. A rule that is about all that could come
    /// on it decides, or else the mode.
    #[must_use]
    pub fn judge_relay(&self, content: Content, host: Option<&str>, connection: ConnFacts<'_>) -> Relay {
        if self.mode == Mode::Enforce && connection.is_elsewhere {
            return Relay::Refused;
        }
        let decisive = self.rules.decisive(host, connection);
        let permitted = match (content, decisive.map(|(_, verdict)| verdict)) {
            (Content::Ruled, _) => self.foresee(host, Some(connection)).is_unread,
            (_, Some(rule::Verdict::Passthrough)) => true,
            (Content::Unread | Content::Other, Some(rule::Verdict::Ask(ask))) if self.mode != Mode::DryRun => {
                let rule = decisive.map(|(number, _)| self.rules.name(number)).unwrap_or_default();
                return Relay::Asked { rule, ask: ask.clone() };
            }
            (_, Some(verdict)) if *verdict != rule::Verdict::Allow => self.mode == Mode::DryRun,
            (Content::Unread, _) if self.network.port(connection.orig_dst.port()) == PortAction::Relay => true,
            (_, _) => self.relays(content),
        };
        if permitted { Relay::Permitted(ConnPermit(())) } else { Relay::Refused }
    }

    /// Whether nobody may be asked where `host` is: nothing may go there.
    #[must_use]
    pub fn withholds(&self, host: &str) -> bool {
        let outlook = self.foresee(Some(&comparable(host)), None);
        self.mode == Mode::Enforce && !outlook.forwards && !outlook.asks
    }

    /// Whether some of what is sent to `host` is answered in its place, by rules or by another server.
    #[must_use]
    pub fn mocks(&self, host: &str) -> bool {
        self.foresee(Some(&comparable(host)), None).mocks
    }

    /// Whether what no rule decides about may be relayed.
    #[must_use]
    pub const fn relays(&self, content: Content) -> bool {
        match content {
            Content::Unread | Content::Other | Content::Tunnel => matches!(self.mode, Mode::Observe | Mode::DryRun),
            Content::Pinned => matches!(self.on_pinned, OnPinned::Passthrough),
            Content::Ruled => false,
        }
    }

    /// What the kernel does with a TCP port that the policy says nothing else about.
    #[must_use]
    pub const fn other_ports(&self) -> PortAction {
        match self.mode {
            Mode::Observe | Mode::DryRun => PortAction::Relay,
            Mode::Enforce => PortAction::Refuse,
        }
    }

    /// Judges whether a connection or stream that spoke HTTP may go on as a tunnel for `protocol`, empty for one that
    /// has no name; `None` if it may not. What WebSockets carry is read.
    #[must_use]
    pub fn permit_tunnel(&self, protocol: &str) -> Option<ConnPermit> {
        let is_read = protocol.eq_ignore_ascii_case("websocket");
        (is_read || self.relays(Content::Tunnel)).then_some(ConnPermit(()))
    }

    /// What judges the DNS queries of the session, which begins `now`.
    #[must_use]
    pub fn queries(&self, now: Instant) -> QueryPolicy {
        QueryPolicy::new(self.mode, now)
    }
}

#[cfg(test)]
mod tests {
    use super::rules::subject::tests::connection;
    use super::*;

    #[test]
    fn enforce_relays_nothing_of_itself() {
        for content in [Content::Unread, Content::Other, Content::Tunnel, Content::Pinned] {
            assert!(Policy::new(Mode::Observe).relays(content));
            assert!(Policy::new(Mode::DryRun).relays(content));
            assert!(!Policy::new(Mode::Enforce).relays(content));
        }
    }

    #[test]
    fn a_name_that_nothing_may_go_to_is_withheld() {
        let rules = "match.host = '*.example'\nmatch.method = 'GET'\nverdict = 'allow'";
        let rules: Vec<rule::Rule> = vec![toml::from_str(rules).unwrap()];
        for (mode, host, expect) in [
            (Mode::Observe, "a.test", false),
            (Mode::Enforce, "A.Example.", false),
            (Mode::Enforce, "a.test", true),
            (Mode::DryRun, "a.test", false),
        ] {
            let policy = Policy { rules: rules.clone().into(), ..Policy::new(mode) };
            assert_eq!(policy.withholds(host), expect, "{mode:?} {host}");
        }
    }

    #[test]
    fn a_rule_about_all_that_comes_on_a_connection_decides_whether_it_is_relayed() {
        let rules = "[[rule]]\nmatch.host = 'bank.example'\nverdict = 'passthrough'\n\
                     [[rule]]\nmatch.cidr = '192.0.2.0/28'\nverdict = 'block'\n\
                     [[rule]]\nmatch = { cidr = '198.51.100.1', method = 'GET' }\nverdict = 'passthrough'\n";
        #[derive(serde::Deserialize)]
        struct File {
            rule: Vec<rule::Rule>,
        }
        let rules = Rules::from(toml::from_str::<File>(rules).unwrap().rule);
        for (host, address, observe, enforce) in [
            (Some("bank.example"), "203.0.113.1:443", true, true),
            (Some("a.example"), "203.0.113.1:443", true, false),
            (None, "203.0.113.1:443", true, false),
            (None, "192.0.2.1:443", false, false),
            (Some("bank.example"), "192.0.2.1:443", true, true),
            (None, "198.51.100.1:443", true, false),
        ] {
            let facts = ConnFacts { orig_dst: address.parse().unwrap(), ..connection() };
            let permitted = |mode| {
                let policy = Policy { rules: rules.clone(), ..Policy::new(mode) };
                policy.judge_relay(Content::Other, host, facts).permit().is_some()
            };
            let found = (permitted(Mode::Observe), permitted(Mode::Enforce), permitted(Mode::DryRun));
            assert_eq!(found, (observe, enforce, true), "{host:?} {address}");
        }
    }

    #[test]
    fn somebody_is_asked_about_what_cannot_be_read_where_a_rule_is_about_all_of_it() {
        let rules = "name = 'who'\nmatch.cidr = '192.0.2.0/24'\nverdict = 'ask'";
        let rules: Vec<rule::Rule> = vec![toml::from_str(rules).unwrap()];
        for (mode, content, address, asks) in [
            (Mode::Observe, Content::Unread, "192.0.2.1:25", true),
            (Mode::Enforce, Content::Other, "192.0.2.1:443", true),
            (Mode::Observe, Content::Unread, "198.51.100.1:25", false),
            (Mode::Enforce, Content::Pinned, "192.0.2.1:443", false),
            (Mode::Enforce, Content::Tunnel, "192.0.2.1:443", false),
            (Mode::DryRun, Content::Unread, "192.0.2.1:25", false),
        ] {
            let policy = Policy { rules: rules.clone().into(), ..Policy::new(mode) };
            let facts = ConnFacts { orig_dst: address.parse().unwrap(), ..connection() };
            let asked = match policy.judge_relay(content, None, facts) {
                Relay::Asked { rule, .. } => rule == "who",
                Relay::Permitted(_) | Relay::Refused => false,
            };
            assert_eq!(asked, asks, "{mode:?} {content:?} {address}");
            let elsewhere = ConnFacts { is_elsewhere: true, ..facts };
            let refused = matches!(policy.judge_relay(content, None, elsewhere), Relay::Refused);
            assert_eq!(refused, mode == Mode::Enforce, "{mode:?} {content:?} {address}");
        }
    }

    #[test]
    fn what_happens_to_pinned_hosts_can_be_chosen_in_either_mode() {
        for mode in [Mode::Observe, Mode::Enforce] {
            let open = Policy { on_pinned: OnPinned::Passthrough, ..Policy::new(mode) };
            let shut = Policy { on_pinned: OnPinned::Refuse, ..Policy::new(mode) };
            assert!(open.relays(Content::Pinned) && !shut.relays(Content::Pinned));
        }
    }

    #[test]
    fn the_kernel_refuses_what_the_proxy_would_refuse() {
        assert_eq!(Policy::new(Mode::Observe).other_ports(), PortAction::Relay);
        assert_eq!(Policy::new(Mode::Enforce).other_ports(), PortAction::Refuse);
    }
}
