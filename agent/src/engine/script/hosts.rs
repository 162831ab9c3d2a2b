//! Which hosts an entry of a script's lists is about.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::engine::policy::host::{HostPattern, Invalid};

/// All hosts, one of them, or all below a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hosts {
    /// `*`.
    All,
    /// `api.example`, or `*.example`.
    Some(HostPattern),
}

impl Hosts {
    /// Whether `host` is meant.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(pattern) => pattern.matches(host),
        }
    }

    /// How much it says: more for one host than for those of a domain, nothing for all.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Some(pattern) if pattern.to_string().starts_with('*') => 1,
            Self::Some(_) => 2,
        }
    }
}

impl FromStr for Hosts {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "*" { Ok(Self::All) } else { text.parse().map(Self::Some) }
    }
}
