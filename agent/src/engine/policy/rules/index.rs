//! Which rules may be about a host: of a thousand that say which hosts, few are looked at for each request.

use std::collections::HashMap;

use regex::bytes::{RegexSet, RegexSetBuilder};

use super::place::Hosts;
use super::rule::Rule;

/// The largest set of expressions that are compiled into one, in bytes.
const MAX_COMPILED: usize = 64 << 20;

/// The numbers of rules, by what they say of the host.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Those that name hosts, by each name: `a.example`, or `.example` for all below a domain.
    named: HashMap<String, Vec<usize>>,
    /// Those that have expressions for hosts.
    fitting: Fitting,
    /// All others.
    others: Vec<usize>,
}

/// Expressions, tried all at once, and the rule that each belongs to.
#[derive(Clone, Debug, Default)]
struct Fitting {
    set: RegexSet,
    rules: Vec<usize>,
}

impl Index {
    pub(super) fn of(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        let mut expressions = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            let Some(hosts) = &rule.matches.host else {
                index.others.push(number);
                continue;
            };
            for hosts in hosts {
                match hosts {
                    Hosts::Named(pattern) => {
                        let name = pattern.to_string().trim_start_matches('*').to_owned();
                        index.named.entry(name).or_default().push(number);
                    }
                    Hosts::Fitting(pattern) => expressions.push((pattern.expression(), number)),
                }
            }
        }
        match Fitting::of(&expressions) {
            Some(fitting) => index.fitting = fitting,
            // Together they are too large: each is tried by itself.
            None => {
                index.others.extend(expressions.iter().map(|(_, number)| number));
                index.others.sort_unstable();
            }
        }
        index
    }

    /// The numbers of the rules that may be about `host`, from the first to the last.
    pub(super) fn candidates(&self, host: &str) -> impl Iterator<Item = usize> + use<'_> {
        let domains = host.match_indices('.').map(|(at, _)| &host[at..]);
        let named = std::iter::once(host).chain(domains).filter_map(|name| self.named.get(name));
        let mut lists: Vec<&[usize]> = named.map(Vec::as_slice).chain([self.others.as_slice()]).collect();
        let mut fitting = self.fitting.candidates(host).into_iter().peekable();
        std::iter::from_fn(move || {
            let next = lists.iter().filter_map(|list| list.first()).chain(fitting.peek()).min().copied()?;
            // A rule that names a host in two ways comes up twice.
            for list in &mut lists {
                *list = &list[list.iter().take_while(|number| **number == next).count()..];
            }
            while fitting.next_if_eq(&next).is_some() {}
            Some(next)
        })
    }
}

impl Fitting {
    fn of(expressions: &[(&str, usize)]) -> Option<Self> {
        let expressions_alone = expressions.iter().map(|(expression, _)| expression);
        let set = RegexSetBuilder::new(expressions_alone).size_limit(MAX_COMPILED).build().ok()?;
        Some(Self { set, rules: expressions.iter().map(|(_, number)| *number).collect() })
    }

    /// The rules whose expressions fit `host`.
    fn candidates(&self, host: &str) -> Vec<usize> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        self.set.matches(host.as_bytes()).iter().filter_map(|number| self.rules.get(number).copied()).collect()
    }
}
