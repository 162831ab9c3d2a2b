//! The judgement of a request: what becomes of it, by which rule, and why.

use std::time::Duration;

use http::Method;

use super::meter::{Applied, key};
use super::refusal::{self, Why};
use super::rules::ask::Ask;
use super::rules::limit::Limit;
use super::rules::redirect::Redirect;
use super::rules::rule::{self, Block, Status, Word};
use super::rules::subject::{ConnFacts, Subject};
use super::{Mode, Policy};
use crate::engine::http::{Field, Reply, RequestHead};

/// The judgement of a request, and who made it.
#[derive(Debug)]
pub struct Judgement {
    /// What becomes of it.
    pub verdict: Verdict,
    /// What is said of it: in a dry run, what enforce mode would do.
    pub word: Word,
    /// The rule that says so, if one does.
    pub rule: Option<String>,
    /// Why it is refused, if it is.
    pub reason: Option<String>,
    /// Only who ends HTTP can do what rules say.
    pub works: bool,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Verdict {
    /// Send it upstream.
    Forward(Permit),
    /// Answer it with this instead.
    Refuse(Reply),
    /// Answer it with this, as if the server did.
    Mock(Reply),
    /// Send it to another server.
    Redirect(Permit, Redirect),
    /// Ask somebody.
    Ask(Question),
    /// Judge it once more, when its body is known.
    Read,
}

/// What somebody is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The host that the request goes to.
    pub host: String,
    /// How it is asked.
    pub ask: Ask,
}

/// Proof that the policy lets a request pass.
#[derive(Debug)]
pub struct Permit(());

impl Policy {
    /// Judges a request by its head, on a connection: the first rule that is about it decides, or else the mode; tunnels
    /// that would carry what is not read need the mode's consent as well. Where there are rules, a request must name the
    /// host that TLS named.
    #[must_use]
    pub fn decide(&self, head: &RequestHead, connection: ConnFacts<'_>) -> Judgement {
        let subject = Subject::new(head, connection);
        let judgement = self.judge(&subject);
        match self.mode {
            Mode::Observe | Mode::Enforce => judgement,
            Mode::DryRun => Judgement { verdict: Verdict::Forward(Permit(())), works: false, ..judgement },
        }
    }

    /// Whether what no rule decides about goes on.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self.mode, Mode::Observe)
    }

    fn judge(&self, subject: &Subject<'_>) -> Judgement {
        if !self.rules.all().is_empty() && subject.is_misdirected() {
            return refuse(subject, None, &misdirected());
        }
        if self.mode == Mode::Enforce && subject.connection.is_elsewhere {
            return refuse(subject, None, &elsewhere());
        }
        if self.mode != Mode::DryRun && subject.head.content.is_none() && self.rules.need_body(subject) {
            let (verdict, word) = (Verdict::Read, Word::Allow);
            return Judgement { verdict, word, rule: None, reason: None, works: true };
        }
        let Some((number, verdict)) = self.rules.first(subject) else {
            return if self.passes() { self.forward(subject, None) } else { refuse(subject, None, &unruled()) };
        };
        let name = Some(self.rules.name(number));
        match verdict {
            rule::Verdict::Allow | rule::Verdict::Passthrough => self.forward(subject, name),
            rule::Verdict::Block(block) => refuse(subject, name, block),
            rule::Verdict::Mock(mock) => {
                let verdict = Verdict::Mock(mock.reply(subject, &self.schema));
                Judgement { verdict, word: Word::Mock, rule: name, reason: None, works: true }
            }
            rule::Verdict::Redirect(redirect) => self.redirect(subject, name, redirect),
            rule::Verdict::Ask(ask) => {
                let question = Question { host: subject.host().to_owned(), ask: ask.clone() };
                let (verdict, reason) = (Verdict::Ask(question), ask.reason.clone());
                Judgement { verdict, word: Word::Ask, rule: name, reason, works: true }
            }
        }
    }

    /// What becomes of a request about which somebody was asked, because of a rule of this name.
    #[must_use]
    pub fn answered(
        &self,
        head: &RequestHead,
        connection: ConnFacts<'_>,
        rule: Option<String>,
        yes: bool,
    ) -> Judgement {
        let subject = Subject::new(head, connection);
        if yes { self.forward(&subject, rule) } else { refuse(&subject, rule, &denied()) }
    }

    /// What becomes of a request whose body cannot be judged, because of `why`.
    #[must_use]
    pub fn unjudged(&self, head: &RequestHead, connection: ConnFacts<'_>, why: &str) -> Judgement {
        let block = Block { reason: Some(format!("its body cannot be judged: {why}")), ..oversized() };
        refuse(&Subject::new(head, connection), None, &block)
    }

    /// What a script of the rule of this name says: that a request is refused.
    #[must_use]
    pub fn scripted(&self, head: &RequestHead, connection: ConnFacts<'_>, rule: &str, block: &Block) -> Judgement {
        refuse(&Subject::new(head, connection), Some(rule.to_owned()), block)
    }

    /// The limits that a request counts against.
    #[must_use]
    pub fn limits(&self, head: &RequestHead, connection: ConnFacts<'_>) -> Vec<Applied> {
        if self.mode == Mode::DryRun {
            return Vec::new();
        }
        let subject = Subject::new(head, connection);
        let program = connection.process.map_or("", |process| process.executable.as_deref().unwrap_or(&process.comm));
        let applied = |(rule, limit): (String, &Limit)| Applied {
            key: key(&rule, limit.per, subject.host(), program),
            limit: limit.clone(),
        };
        self.rules.limits(&subject).into_iter().map(applied).collect()
    }

    /// The answer to a request that is over a limit of the rule of this name, and may try again after some time.
    #[must_use]
    pub fn over_limit(
        &self,
        head: &RequestHead,
        connection: ConnFacts<'_>,
        rule: &str,
        after: Option<Duration>,
        too_large: bool,
    ) -> Judgement {
        let subject = Subject::new(head, connection);
        let block = if too_large { oversized() } else { over() };
        let mut judgement = refuse(&subject, Some(rule.to_owned()), &block);
        if let (Verdict::Refuse(reply), Some(after)) = (&mut judgement.verdict, after) {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            reply.fields.push(Field::new("retry-after", seconds.to_string()));
        }
        judgement
    }

    fn forward(&self, subject: &Subject<'_>, rule: Option<String>) -> Judgement {
        match &subject.head.tunnel {
            // An upgrade is judged when the server agrees to it: most do not.
            Some(protocol) if subject.head.method == Method::CONNECT && !self.tunnels(protocol) => {
                refuse(subject, None, &unread())
            }
            _ => {
                let works = self.rules.may_change(subject);
                Judgement { verdict: Verdict::Forward(Permit(())), word: Word::Allow, rule, reason: None, works }
            }
        }
    }

    fn redirect(&self, subject: &Subject<'_>, rule: Option<String>, redirect: &Redirect) -> Judgement {
        if subject.head.method == Method::CONNECT && subject.head.tunnel.as_deref() == Some("") {
            return refuse(subject, rule, &rooted());
        }
        let judgement = self.forward(subject, rule);
        match judgement.verdict {
            Verdict::Forward(permit) => {
                let verdict = Verdict::Redirect(permit, redirect.clone());
                Judgement { verdict, word: Word::Redirect, works: true, ..judgement }
            }
            verdict => Judgement { verdict, ..judgement },
        }
    }

    /// As [`Policy::permit_tunnel`], of what enforce mode would do in a dry run.
    fn tunnels(&self, protocol: &str) -> bool {
        self.mode != Mode::DryRun && self.permit_tunnel(protocol).is_some()
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

/// The answer to a request whose host was never found at the address that it is sent to.
fn elsewhere() -> Block {
    Block {
        reason: Some("DNS did not give this address for this host".into()),
        suggestion: Some("look the name up in the session, or allow the address itself".into()),
        ..Block::default()
    }
}

/// The answer to a request that no rule lets pass where one must.
fn unruled() -> Block {
    Block {
        reason: Some("no rule allows it".into()),
        suggestion: Some("ask whoever runs the session to allow it, or to run it in observe mode".into()),
        ..Block::default()
    }
}

/// The answer to a request that somebody did not want, or about which nobody said anything.
fn denied() -> Block {
    Block {
        reason: Some("who was asked did not allow it".into()),
        suggestion: Some("ask whoever runs the session, and send it again".into()),
        ..Block::default()
    }
}

/// The answer to a request of too many (RFC 6585 section 4).
fn over() -> Block {
    Block {
        status: Status::try_from(429).ok(),
        reason: Some("there are more than the rule lets pass".into()),
        suggestion: Some("wait, and send it again".into()),
        ..Block::default()
    }
}

/// The answer to a request that is too large (RFC 9110 section 15.5.14).
fn oversized() -> Block {
    Block {
        status: Status::try_from(413).ok(),
        reason: Some("its body is larger than the rule lets pass".into()),
        suggestion: Some("send less".into()),
        ..Block::default()
    }
}

/// The answer to a request for a tunnel to another place than it is to lead to.
fn rooted() -> Block {
    Block {
        reason: Some("a tunnel cannot be sent to another server".into()),
        suggestion: Some("request the resource without CONNECT".into()),
        ..Block::default()
    }
}

/// The answer to a request for a tunnel that may not be.
fn unread() -> Block {
    Block {
        reason: Some("a tunnel would carry what is not read".into()),
        suggestion: Some("run the session in observe mode, or request the resource without CONNECT".into()),
        ..Block::default()
    }
}

fn refuse(subject: &Subject<'_>, rule: Option<String>, block: &Block) -> Judgement {
    let reason = block.reason.as_deref().unwrap_or("a rule of this session forbids it");
    let suggestion = block.suggestion.as_deref().unwrap_or("ask whoever runs the session to allow it");
    let reply = refusal::reply(subject, Why { rule: rule.as_deref(), reason, suggestion }, block);
    let verdict = Verdict::Refuse(reply);
    Judgement { verdict, word: Word::Block, rule, reason: Some(reason.to_owned()), works: false }
}

#[cfg(test)]
mod tests {
    use super::super::rules::rule::Rule;
    use super::*;

    #[test]
    fn where_there_are_rules_a_request_names_the_host_that_tls_named() {
        use super::super::rules::subject::tests::{connection, head};
        let rules: Vec<Rule> = vec![toml::from_str("match.host = 'b.example'\nverdict = 'block'").unwrap()];
        let with = Policy { rules: rules.into(), ..Policy::new(Mode::Observe) };
        let without = Policy::new(Mode::Observe);
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
                _ => panic!("no rule does anything else"),
            };
            assert_eq!(status(&with), expect, "{server_name:?} {}", head.url());
            assert_eq!(status(&without), None, "{server_name:?} {}", head.url());
        }
    }

    #[test]
    fn what_is_redirected_is_no_tunnel_to_somewhere() {
        use super::super::rules::subject::tests::{connection, head};
        let rule = "verdict.redirect = { to = 'http://192.0.2.1:8080', addresses = ['192.0.2.1'] }";
        let rules: Vec<Rule> = vec![toml::from_str(rule).unwrap()];
        let tunnel =
            |protocol: &str| RequestHead { tunnel: Some(protocol.to_owned()), ..head("CONNECT", "a.example:443", &[]) };
        for (mode, head, expect) in [
            (Mode::Observe, head("GET", "a.example/", &[]), Word::Redirect),
            (Mode::Enforce, head("GET", "a.example/", &[]), Word::Redirect),
            (Mode::Enforce, tunnel("websocket"), Word::Redirect),
            (Mode::Observe, tunnel(""), Word::Block),
            (Mode::Enforce, tunnel("connect-udp"), Word::Block),
        ] {
            let policy = Policy { rules: rules.clone().into(), ..Policy::new(mode) };
            let judgement = policy.decide(&head, connection());
            assert_eq!(judgement.word, expect, "{mode:?} {:?}", head.tunnel);
            assert_eq!(matches!(judgement.verdict, Verdict::Redirect(..)), expect == Word::Redirect);
            assert!(matches!(
                Policy { mode: Mode::DryRun, ..policy }.decide(&head, connection()).verdict,
                Verdict::Forward(_)
            ));
        }
    }

    #[test]
    fn what_no_rule_allows_passes_in_observe_mode_only() {
        use super::super::rules::subject::tests::{connection, head};
        let rules = "match.host = 'a.example'\nverdict = 'allow'";
        let rules: Vec<Rule> = vec![toml::from_str(rules).unwrap()];
        for (mode, host, passes, word) in [
            (Mode::Observe, "a.example", true, Word::Allow),
            (Mode::Observe, "b.example", true, Word::Allow),
            (Mode::Enforce, "a.example", true, Word::Allow),
            (Mode::Enforce, "b.example", false, Word::Block),
            (Mode::DryRun, "a.example", true, Word::Allow),
            (Mode::DryRun, "b.example", true, Word::Block),
        ] {
            let policy = Policy { rules: rules.clone().into(), ..Policy::new(mode) };
            let judgement = policy.decide(&head("GET", &format!("{host}/"), &[]), connection());
            assert_eq!(matches!(judgement.verdict, Verdict::Forward(_)), passes, "{mode:?} {host}");
            assert_eq!(judgement.word, word, "{mode:?} {host}");
        }
    }
}
