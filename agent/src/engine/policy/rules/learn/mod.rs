//! Learns rules from what was seen: the smallest list that a person would write under which all of it is allowed. It knows
//! nothing of what was refused, and nothing of connections.

mod paths;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use self::paths::{escaped, folded};
pub use self::text::{ports, text};
use super::place::Hosts;
use crate::engine::policy::host::HostPattern;

/// So many hosts below one domain become all below it.
const HOSTS_OF_DOMAIN: usize = 3;

/// The longest name of a host (RFC 1035 section 2.3.4): what is longer goes nowhere.
const LONGEST_HOST: usize = 253;

/// Bytes of the longest method, and of the longest call, that are learnt: a pattern has to stay readable.
const LONGEST_WORD: usize = 200;

/// Domains below which anybody gets a name: each host of theirs stays alone.
const SHARED: [&str; 22] = [
    "amazonaws.com",
    "appspot.com",
    "azureedge.net",
    "azurewebsites.net",
    "cloudfront.net",
    "fastly.net",
    "firebaseapp.com",
    "fly.dev",
    "github.io",
    "githubusercontent.com",
    "gitlab.io",
    "googleapis.com",
    "herokuapp.com",
    "netlify.app",
    "ngrok.io",
    "onrender.com",
    "pages.dev",
    "run.app",
    "vercel.app",
    "web.app",
    "windows.net",
    "workers.dev",
];

/// A request that was allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Its host, as [`Subject::host`](super::subject::Subject::host) gives it.
    pub host: String,
    /// Its path, as [`Subject::path`](super::subject::Subject::path) gives it.
    pub path: String,
    /// Service and method, if it is a call, as [`Subject::call`](super::subject::Subject::call) gives them.
    pub call: Option<String>,
    /// The name of the program that sent it, if that is known.
    pub program: Option<String>,
}

/// A rule that was learnt: it allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// Its host, or all below a domain, as rules write it.
    pub host: String,
    /// It is about calls.
    pub is_calls: bool,
    /// Patterns of its methods.
    pub methods: BTreeSet<String>,
    /// Patterns of its paths, or of its calls.
    pub paths: BTreeSet<String>,
    /// How many requests it was learnt from.
    pub times: usize,
    /// The programs that sent them, as far as they are known.
    pub programs: BTreeSet<String>,
}

impl Seen {
    /// Whether a rule can be learnt from it: whether host, method and call have an end.
    #[must_use]
    pub fn is_learnable(&self) -> bool {
        let call = self.call.as_ref().map_or(0, String::len);
        self.host.len() <= LONGEST_HOST && self.method.len() <= LONGEST_WORD && call <= LONGEST_WORD
    }
}

/// The rules under which all that was seen is allowed, by host. What is not learnable is left out.
#[must_use]
pub fn learn(seen: impl IntoIterator<Item = Seen>) -> Vec<Learnt> {
    let seen: Vec<Seen> = seen.into_iter().filter(Seen::is_learnable).collect();
    let domains = domains(&seen);
    let mut rules: BTreeMap<(String, bool), Learnt> = BTreeMap::new();
    for Seen { method, host, path, call, program } in seen {
        let domain = below(&host).filter(|domain| domains.contains(*domain)).map(|domain| format!("*.{domain}"));
        let host = domain.unwrap_or_else(|| named(&host));
        let is_calls = call.is_some();
        let rule = rules.entry((host.clone(), is_calls)).or_default();
        (rule.host, rule.is_calls) = (host, is_calls);
        rule.methods.insert(escaped(&method));
        rule.paths.insert(call.as_deref().map_or(path, service));
        rule.times += 1;
        rule.programs.extend(program);
    }
    let finished = |rule: Learnt| if rule.is_calls { rule } else { Learnt { paths: folded(&rule.paths), ..rule } };
    rules.into_values().map(finished).collect()
}

/// The domains of which enough hosts were seen.
fn domains(seen: &[Seen]) -> BTreeSet<String> {
    let mut hosts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Seen { host, .. } in seen {
        if let Some(domain) = below(host) {
            hosts.entry(domain).or_default().insert(host);
        }
    }
    let many = hosts.into_iter().filter(|(_, hosts)| hosts.len() >= HOSTS_OF_DOMAIN);
    many.map(|(domain, _)| domain.to_owned()).collect()
}

/// The domain that a host is below, if all below it may be meant: its last two labels, or three where the last two are
/// like `co.uk`.
fn below(host: &str) -> Option<&str> {
    let is_name = host.parse::<HostPattern>().is_ok() && host.parse::<IpAddr>().is_err();
    let labels: Vec<&str> = host.rsplit('.').collect();
    let like_co_uk = matches!(labels[..], [top, second, ..] if second.len() <= 3 && top.len() == 2);
    let dot = host.rmatch_indices('.').nth(if like_co_uk { 2 } else { 1 }).map(|(at, _)| at)?;
    let domain = host.get(dot + 1..)?;
    (is_name && !SHARED.contains(&domain)).then_some(domain)
}

/// A host as rules write it: what is none is compared as it is.
fn named(host: &str) -> String {
    if host.parse::<Hosts>().is_ok() && !host.starts_with(['~', '*']) {
        return host.to_owned();
    }
    format!("~^{}$", regex::escape(host))
}

/// All calls of the service that is called.
fn service(call: &str) -> String {
    call.rsplit_once('/').map_or_else(|| escaped(call), |(service, _)| format!("{}/*", escaped(service)))
}

#[cfg(test)]
mod tests;
