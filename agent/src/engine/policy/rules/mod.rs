//! Rules: what the file says of requests, compiled. The first rule that is about a request gives its verdict.

pub mod amount;
pub mod any_of;
pub mod ask;
pub mod call;
mod content;
pub mod example;
pub mod explain;
mod graphql;
mod index;
pub mod learn;
pub mod limit;
pub mod matcher;
pub mod mock;
pub mod moment;
pub mod pattern;
pub mod place;
pub mod redirect;
pub mod rule;
pub mod status;
pub mod subject;
mod template;

use serde::{Deserialize, Serialize};

use self::ask::Choice;
use self::index::Index;
use self::limit::Limit;
use self::rule::{Rule, Verdict};
use self::subject::{Certainty, ConnFacts, Subject};
use crate::engine::script::Script;

/// The rules of a session, in the order in which they count.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Rule>", into = "Vec<Rule>")]
pub struct Rules {
    rules: Vec<Rule>,
    index: Index,
    has_changes: bool,
    needs_body: bool,
}

/// What rules may make of what comes on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Some of it may go on to the server.
    pub forwards: bool,
    /// All of it goes on unread.
    pub is_unread: bool,
    /// Somebody may be asked whether some of it goes on.
    pub asks: bool,
    /// Some may be answered as if by the server, by us or by another.
    pub mocks: bool,
    /// Some may go to another server.
    pub redirects: bool,
    /// Some may be changed, or answered so that only who ends HTTP can do it.
    pub works: bool,
}

impl Rules {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }

    /// The first that is about a request and says what becomes of it, its number, from 0, and that verdict.
    #[must_use]
    pub fn first(&self, subject: &Subject<'_>) -> Option<(usize, &Verdict)> {
        let mut deciding = self.candidates(subject.host()).filter(|(_, rule)| rule.verdict.is_some());
        let (number, rule) = deciding.find(|(_, rule)| rule.is_about(subject))?;
        rule.verdict.as_ref().map(|verdict| (number, verdict))
    }

    /// Those that are about a request and change something, and their numbers, in their order.
    pub fn changing<'a>(&'a self, subject: &Subject<'_>) -> impl Iterator<Item = (usize, &'a Rule)> {
        let candidates = self.has_changes.then(|| self.candidates(subject.host())).into_iter().flatten();
        candidates.filter(|(_, rule)| rule.changes() && rule.is_about(subject))
    }

    /// The limits of those that are about a request, by their rules' names.
    #[must_use]
    pub fn limits(&self, subject: &Subject<'_>) -> Vec<(String, &Limit)> {
        let candidates = self.has_changes.then(|| self.candidates(subject.host())).into_iter().flatten();
        let limited = candidates.filter_map(|(number, rule)| Some((number, rule, rule.limit.as_ref()?)));
        let applied = limited.filter(|(_, rule, _)| rule.is_about(subject));
        applied.map(|(number, _, limit)| (self.name(number), limit)).collect()
    }

    /// The scripts of those that are about a request, by their rules' names.
    #[must_use]
    pub fn scripts(&self, subject: &Subject<'_>) -> Vec<(String, &Script, Choice)> {
        let scripted = self.changing(subject).filter_map(|(number, rule)| Some((number, rule, rule.loaded.as_ref()?)));
        scripted.map(|(number, rule, script)| (self.name(number), &**script, rule.on_error)).collect()
    }

    /// Whether one that may be about a request looks at its body.
    #[must_use]
    pub fn need_body(&self, subject: &Subject<'_>) -> bool {
        let needs = |rule: &Rule| rule.needs_body() && rule.matches.may_hold_by_head(subject, rule.needed());
        self.needs_body && subject.is_document() && self.candidates(subject.host()).any(|(_, rule)| needs(rule))
    }

    /// Whether one changes something of a request, or may of its response.
    #[must_use]
    pub fn may_change(&self, subject: &Subject<'_>) -> bool {
        self.has_changes
            && self.candidates(subject.host()).any(|(_, rule)| rule.changes() && rule.may_be_about(subject))
    }

    /// Whether one that may be about a host changes bodies of responses.
    #[must_use]
    pub fn changes_responses(&self, host: &str) -> bool {
        let wants = |rule: &Rule| {
            let is_scripted =
                || rule.loaded.as_ref().is_some_and(|script| script.wants_responses(host) || script.wants_messages());
            !rule.response.body.is_empty() || is_scripted()
        };
        self.has_changes && self.candidates(host).any(|(_, rule)| wants(rule))
    }

    /// Those that may be about a host, and their numbers.
    fn candidates<'a>(&'a self, host: &str) -> impl Iterator<Item = (usize, &'a Rule)> + use<'a> {
        self.index.candidates(host).filter_map(|number| self.rules.get(number).map(|rule| (number, rule)))
    }

    /// What they may make of what comes, as far as host and connection are known; `passes` if what no rule decides goes
    /// on.
    #[must_use]
    pub fn foresee(&self, host: Option<&str>, connection: Option<ConnFacts<'_>>, passes: bool) -> Outlook {
        let mut outlook = Outlook::default();
        let mut is_first = true;
        for (_, rule, certainty) in self.relevant(host, connection) {
            outlook.works |= rule.works();
            outlook.mocks |= rule.loaded.as_ref().is_some_and(|script| script.answers(host));
            let Some(verdict) = &rule.verdict else { continue };
            outlook.is_unread |= is_first && certainty == Certainty::Yes && *verdict == Verdict::Passthrough;
            outlook.forwards |= matches!(verdict, Verdict::Allow | Verdict::Passthrough);
            outlook.mocks |= matches!(verdict, Verdict::Mock(_) | Verdict::Redirect(_));
            outlook.redirects |= matches!(verdict, Verdict::Redirect(_));
            outlook.asks |= matches!(verdict, Verdict::Ask(_));
            if certainty == Certainty::Yes {
                return outlook;
            }
            is_first = false;
        }
        outlook.forwards |= passes;
        outlook
    }

    /// The first that is about all that may come, as far as host and connection are known, and says what becomes of it:
    /// its number, from 0, and that verdict.
    #[must_use]
    pub fn decisive(&self, host: Option<&str>, connection: ConnFacts<'_>) -> Option<(usize, &Verdict)> {
        let certain = self.relevant(host, Some(connection)).filter(|(.., certainty)| *certainty == Certainty::Yes);
        certain.filter_map(|(number, rule, _)| Some((number, rule.verdict.as_ref()?))).next()
    }

    /// Those that are, or may be, about what comes, as far as host and connection are known, and their numbers.
    fn relevant<'a, 'b>(
        &'a self,
        host: Option<&'b str>,
        connection: Option<ConnFacts<'b>>,
    ) -> impl Iterator<Item = (usize, &'a Rule, Certainty)> + use<'a, 'b> {
        let named = host.map(|host| self.candidates(host)).into_iter().flatten();
        let all = host.is_none().then_some(self.rules.iter().enumerate()).into_iter().flatten();
        let judged = named.chain(all).map(move |(number, rule)| (number, rule, rule.is_about_all(host, connection)));
        judged.filter(|(.., certainty)| *certainty != Certainty::No)
    }

    /// What output calls the rule of a number.
    #[must_use]
    pub fn name(&self, number: usize) -> String {
        let name = self.rules.get(number).and_then(|rule| rule.name.clone());
        name.unwrap_or_else(|| format!("rule {}", number + 1))
    }
}

impl From<Vec<Rule>> for Rules {
    fn from(rules: Vec<Rule>) -> Self {
        let index = Index::of(&rules);
        let has_changes = rules.iter().any(Rule::changes);
        let needs_body = rules.iter().any(Rule::needs_body);
        Self { rules, index, has_changes, needs_body }
    }
}

impl From<Rules> for Vec<Rule> {
    fn from(rules: Rules) -> Self {
        rules.rules
    }
}

#[cfg(test)]
mod tests;
