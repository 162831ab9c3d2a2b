//! Rules: what the file says of requests, compiled. The first rule that is about a request gives its verdict.

pub mod any_of;
pub mod example;
pub mod explain;
mod index;
pub mod matcher;
pub mod pattern;
pub mod place;
pub mod rule;
pub mod subject;

use serde::{Deserialize, Serialize};

use self::index::Index;
use self::rule::Rule;
use self::subject::Subject;

/// The rules of a session, in the order in which they count.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Rule>", into = "Vec<Rule>")]
pub struct Rules {
    rules: Vec<Rule>,
    index: Index,
}

impl Rules {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }

    /// The first that is about a request, and its number, from 0.
    #[must_use]
    pub fn first(&self, subject: &Subject<'_>) -> Option<(usize, &Rule)> {
        let candidates = self.index.candidates(subject.host());
        let rules = candidates.filter_map(|number| self.rules.get(number).map(|rule| (number, rule)));
        rules.into_iter().find(|(_, rule)| rule.is_about(subject))
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
        Self { rules, index }
    }
}

impl From<Rules> for Vec<Rule> {
    fn from(rules: Rules) -> Self {
        rules.rules
    }
}

#[cfg(test)]
mod tests;
