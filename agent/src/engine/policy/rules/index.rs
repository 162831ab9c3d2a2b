//! Which rules may be about a host: of a thousand that name hosts, few are looked at for each request.

use std::collections::HashMap;

use super::place::Hosts;
use super::rule::Rule;

/// The numbers of rules, by what they say of the host.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Those that name hosts, by each name: `a.example`, or `.example` for all below a domain.
    named: HashMap<String, Vec<usize>>,
    /// All others.
    others: Vec<usize>,
}

impl Index {
    pub(super) fn of(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        for (number, rule) in rules.iter().enumerate() {
            match names(rule) {
                Some(names) => names.into_iter().for_each(|name| index.named.entry(name).or_default().push(number)),
                None => index.others.push(number),
            }
        }
        index
    }

    /// The numbers of the rules that may be about `host`, from the first to the last.
    pub(super) fn candidates(&self, host: &str) -> impl Iterator<Item = usize> + use<'_> {
        let domains = host.match_indices('.').map(|(at, _)| &host[at..]);
        let named = std::iter::once(host).chain(domains).filter_map(|name| self.named.get(name));
        let mut lists: Vec<&[usize]> = named.map(Vec::as_slice).chain([self.others.as_slice()]).collect();
        std::iter::from_fn(move || {
            let next = lists.iter().filter_map(|list| list.first()).min().copied()?;
            // A rule that names a host in two ways is in two lists.
            lists.iter_mut().filter(|list| list.first() == Some(&next)).for_each(|list| *list = &list[1..]);
            Some(next)
        })
    }
}

/// The names that a rule gives its hosts; none if it is about others as well.
fn names(rule: &Rule) -> Option<Vec<String>> {
    let hosts = rule.matches.host.as_ref()?;
    let name = |hosts: &Hosts| match hosts {
        Hosts::Named(pattern) => Some(pattern.to_string().trim_start_matches('*').to_owned()),
        Hosts::Fitting(_) => None,
    };
    hosts.iter().map(name).collect()
}
