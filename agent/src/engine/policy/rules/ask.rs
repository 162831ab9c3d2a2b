//! Requests that somebody is asked about.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How somebody is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ask {
    /// Seconds until nobody has answered.
    pub timeout_s: u64,
    /// What then becomes of the request.
    pub otherwise: Choice,
    /// What becomes of it at once where there is nobody at a terminal; without it, the answer is waited for.
    pub unattended: Option<Choice>,
    /// What is said beside the request.
    pub reason: Option<String>,
}

/// One of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// It does not go on.
    #[default]
    Block,
    /// It goes on.
    Allow,
}

impl Default for Ask {
    fn default() -> Self {
        Self { timeout_s: 60, otherwise: Choice::Block, unattended: None, reason: None }
    }
}

impl Ask {
    /// How long an answer is waited for.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }
}
