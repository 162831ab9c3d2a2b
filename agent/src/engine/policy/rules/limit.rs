//! How much rules let pass: so many requests in a time, at once, or in all; so many bytes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::amount::{Bytes, Rate};

/// What is limited. Of what is over a limit of requests becomes what `over` says; bytes are slowed down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limit {
    /// Requests in a time.
    pub requests: Option<Rate>,
    /// How many of them may come at once; as many as in the time, if nothing is said.
    pub burst: Option<u32>,
    /// Requests that are on their way at once.
    pub concurrent: Option<u32>,
    /// Bytes of requests in a time.
    pub up: Option<Rate>,
    /// Bytes of responses in a time.
    pub down: Option<Rate>,
    /// How much there is in all.
    pub quota: Option<Quota>,
    /// The largest body of a request.
    pub upload: Option<Bytes>,
    /// How long each request is held.
    pub delay_ms: u64,
    /// How much longer at most, by chance.
    pub jitter_ms: u64,
    /// What is counted together.
    pub per: Per,
    /// What becomes of a request that is over a limit.
    pub over: Over,
}

/// An amount that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Requests.
    pub requests: Option<u64>,
    /// Bytes, both ways together.
    pub bytes: Option<Bytes>,
    /// When there is more.
    #[serde(default)]
    pub per: Period,
}

/// When a quota begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// With the next session.
    #[default]
    Session,
    /// At midnight (UTC).
    Day,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// All that the rule is about.
    #[default]
    Rule,
    /// What goes to one host.
    Host,
    /// What one program sends.
    Process,
}

/// What becomes of a request that is over a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// It is answered 429, with how long to wait.
    #[default]
    Refuse,
    /// It waits.
    Wait,
}

impl Limit {
    /// How long a request is held; `chance` is below one.
    #[must_use]
    pub fn delay(&self, chance: f64) -> Duration {
        let jitter = Duration::from_millis(self.jitter_ms).mul_f64(chance.clamp(0.0, 1.0));
        Duration::from_millis(self.delay_ms) + jitter
    }
}
