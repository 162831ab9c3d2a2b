//! Patterns that name hosts, as settings write them. Names are compared as DNS does, without regard to case.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One host by its name or address, or everything below a domain: `api.example`, `192.0.2.1`, `*.example`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(String);

/// Why a text is no pattern.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no host: write `api.example`, `192.0.2.1`, or `*.example` for all below a domain")]
pub struct Invalid(String);

impl HostPattern {
    /// Whether `host`, a name or an address, is meant. A domain itself is not below itself.
    ///
    /// ```
    /// use agent::engine::policy::host::HostPattern;
    /// let pattern: HostPattern = "*.example".parse().unwrap();
    /// assert!(pattern.matches("a.b.EXAMPLE") && !pattern.matches("example"));
    /// ```
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        let host = comparable(host);
        match self.0.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == self.0,
        }
    }
}

impl FromStr for HostPattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let is_label = |label: &str| !label.is_empty() && label.len() <= 63 && label.chars().all(is_allowed);
        let is_address = name.len() == text.len() && name.parse::<std::net::IpAddr>().is_ok();
        if is_address || name.split('.').all(is_label) && name.len() <= 253 {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(Invalid(text.to_owned()))
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A host as DNS compares it: in lower case and without a final dot.
#[must_use]
pub fn comparable(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// Letters, digits and hyphens, and the underscore that names in use have.
const fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_one_host_or_all_below_a_domain() {
        let table = [
            ("a.example", "A.Example", true),
            ("a.example", "a.example.", true),
            ("a.example", "b.a.example", false),
            ("*.example", "a.example", true),
            ("*.example", "b.a.example", true),
            ("*.example", "example", false),
            ("*.example", "anexample", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("2001:db8::1", "2001:db8::1", true),
        ];
        for (pattern, host, expected) in table {
            assert_eq!(pattern.parse::<HostPattern>().unwrap().matches(host), expected, "{pattern} {host}");
        }
    }

    #[test]
    fn what_names_no_host_is_no_pattern() {
        for text in ["", "*", "*.", "a..b", "a.*.b", "*a.example", "a b", "https://a", "a/b", "a:443", "*.2001:db8::1"]
        {
            assert_eq!(text.parse::<HostPattern>(), Err(Invalid(text.to_owned())));
        }
    }
}
