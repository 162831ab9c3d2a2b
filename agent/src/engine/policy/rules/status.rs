//! Statuses of responses as rules write them: one, or a class.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// One status, or a hundred: `404`, `"5xx"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct StatusRange(RangeInclusive<u16>);

/// A status as a number, a class as text.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write 404, or \"4xx\" for a class")]
enum Written {
    Number(u64),
    Text(String),
}

/// The text names no status.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no status: write 404, or \"4xx\" for a class")]
pub struct NoStatus(String);

impl StatusRange {
    /// Whether `status` is meant.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0.contains(&status)
    }
}

impl TryFrom<Written> for StatusRange {
    type Error = NoStatus;

    fn try_from(written: Written) -> Result<Self, NoStatus> {
        let text = match written {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        let class = text.strip_suffix("xx").and_then(|class| class.parse::<u8>().ok()).map(u16::from);
        let range = match (class, text.parse::<u16>()) {
            (Some(class), _) => class * 100..=class * 100 + 99,
            (None, Ok(status)) => status..=status,
            (None, Err(_)) => return Err(NoStatus(text)),
        };
        if (100..=599).contains(range.start()) { Ok(Self(range)) } else { Err(NoStatus(text)) }
    }
}

impl From<StatusRange> for String {
    fn from(range: StatusRange) -> Self {
        range.to_string()
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.start(), self.0.end()) {
            (first, last) if first == last => first.fmt(f),
            (first, _) => write!(f, "{}xx", first / 100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        status: StatusRange,
    }

    #[test]
    fn a_status_is_a_number_or_a_class() {
        for (text, holds, not) in [("404", 404, 405), ("'404'", 404, 400), ("'5xx'", 599, 499), ("'1xx'", 100, 200)] {
            let range = toml::from_str::<Holder>(&format!("status = {text}")).unwrap().status;
            assert!(range.contains(holds) && !range.contains(not), "{text}");
        }
        for text in ["99", "600", "'6xx'", "'xx'", "'ab'", "'99999xx'"] {
            let error = toml::from_str::<Holder>(&format!("status = {text}")).map(|_| ()).unwrap_err();
            assert!(error.message().contains("is no status"), "{text}: {error}");
        }
    }
}
