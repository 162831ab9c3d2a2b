//! How much of something, as rules write it: bytes, and so many in a time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A number of bytes: `4096`, `"64 KiB"`, `"10 MB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "u64")]
pub struct Bytes(u64);

/// So many, or so many bytes, in a time: `"60/min"`, `"1 MiB/s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    count: u64,
    per: Duration,
}

/// A number, or a text with a unit.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write a number of bytes, or a text such as \"64 KiB\"")]
enum Written {
    Number(u64),
    Text(String),
}

/// Why a text is no amount.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is no number of bytes.
    #[error("`{0}` is no number of bytes: write 4096, \"64 KiB\" or \"10 MB\"")]
    Bytes(String),
    /// It is no rate.
    #[error("`{0}` is no rate: write \"60/min\" or \"1 MiB/s\", per s, min, h or day")]
    Rate(String),
}

const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

const TIMES: [(&str, u64); 4] = [("s", 1), ("min", 60), ("h", 3_600), ("day", 86_400)];

impl Bytes {
    /// How many.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.0
    }
}

impl FromStr for Bytes {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let (number, unit) = text.split_at(text.len() - digits.len());
        let unit = UNITS.iter().find(|(name, _)| *name == unit.trim());
        let count = number.parse::<u64>().ok().zip(unit).and_then(|(number, (_, unit))| number.checked_mul(*unit));
        count.map(Self).ok_or_else(|| Invalid::Bytes(text.to_owned()))
    }
}

impl TryFrom<Written> for Bytes {
    type Error = Invalid;

    fn try_from(written: Written) -> Result<Self, Invalid> {
        match written {
            Written::Number(count) => Ok(Self(count)),
            Written::Text(text) => text.parse(),
        }
    }
}

impl From<Bytes> for u64 {
    fn from(bytes: Bytes) -> Self {
        bytes.0
    }
}

impl Rate {
    /// How many in that time; one at least.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }

    /// The time.
    #[must_use]
    pub const fn per(self) -> Duration {
        self.per
    }
}

impl TryFrom<String> for Rate {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        let parsed = text.split_once('/').and_then(|(count, time)| {
            let count = count.trim().parse::<Bytes>().ok().filter(|count| count.0 > 0)?;
            let (_, seconds) = TIMES.iter().find(|(name, _)| *name == time.trim())?;
            Some(Self { count: count.0, per: Duration::from_secs(*seconds) })
        });
        parsed.ok_or(Invalid::Rate(text))
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = TIMES.iter().find(|(_, seconds)| *seconds == self.per.as_secs()).map_or("s", |(name, _)| name);
        write!(f, "{}/{time}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_with_their_units() {
        for (text, expect) in [("0", 0), ("4096", 4096), ("64 KiB", 65_536), ("2MB", 2_000_000), ("1 GiB", 1 << 30)] {
            assert_eq!(text.parse::<Bytes>().unwrap().count(), expect, "{text}");
        }
        for text in ["", "KiB", "1 kb", "-1", "1.5 MiB", "99999999999999999999", "18446744073709551615 KiB"] {
            assert_eq!(text.parse::<Bytes>(), Err(Invalid::Bytes(text.to_owned())));
        }
        for (text, count, seconds) in [("60/min", 60, 60), ("1 MiB/s", 1 << 20, 1), ("5 / day", 5, 86_400)] {
            let rate = Rate::try_from(text.to_owned()).unwrap();
            assert_eq!((rate.count(), rate.per().as_secs()), (count, seconds), "{text}");
            assert_eq!(Rate::try_from(rate.to_string()), Ok(rate));
        }
        for text in ["", "60", "0/s", "a/s", "1/week"] {
            assert_eq!(Rate::try_from(text.to_owned()), Err(Invalid::Rate(text.to_owned())));
        }
    }
}
