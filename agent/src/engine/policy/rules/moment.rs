//! Times of the week as rules write them, in UTC: the worker knows no other zone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// Days as rules write them, from Monday.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A minute of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// From 0, Monday.
    day: u8,
    /// From midnight.
    minute: u16,
}

/// Times of some days: `mon-fri 09:00-17:00`, `sat`, `22:00-06:00`. What goes over midnight is of both days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    written: String,
    /// The first day and the last; one may be before the other.
    days: (u8, u8),
    /// The first minute, and the one after the last.
    minutes: (u16, u16),
}

/// The text names no time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no time: write \"mon-fri 09:00-17:00\", \"sat\" or \"22:00-06:00\" (UTC)")]
pub struct Invalid(String);

impl Moment {
    /// So many seconds after the beginning of 1970, which was a Thursday.
    #[must_use]
    pub fn at(seconds: u64) -> Self {
        let minutes = seconds / 60;
        let day = (minutes / u64::from(DAY) + 3) % 7;
        let minute = minutes % u64::from(DAY);
        Self { day: u8::try_from(day).unwrap_or_default(), minute: u16::try_from(minute).unwrap_or_default() }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = DAYS.get(usize::from(self.day)).copied().unwrap_or_default();
        write!(f, "{day} {:02}:{:02}", self.minute / 60, self.minute % 60)
    }
}

impl Span {
    /// Whether `moment` is in it.
    #[must_use]
    pub fn contains(&self, moment: Moment) -> bool {
        let (first, last) = self.days;
        let is_day = if first <= last {
            (first..=last).contains(&moment.day)
        } else {
            moment.day >= first || moment.day <= last
        };
        let (from, to) = self.minutes;
        let is_time =
            if from < to { (from..to).contains(&moment.minute) } else { moment.minute >= from || moment.minute < to };
        is_day && is_time
    }
}

impl FromStr for Span {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let day = |name: &str| DAYS.iter().position(|day| *day == name).and_then(|day| u8::try_from(day).ok());
        let days = |text: &str| match text.split_once('-') {
            Some((first, last)) => day(first).zip(day(last)),
            None => day(text).map(|day| (day, day)),
        };
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
            (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
        };
        let minutes = |text: &str| text.split_once('-').and_then(|(from, to)| minute(from).zip(minute(to)));
        let all = ((0, 6), (0, DAY));
        let words: Vec<&str> = text.split_whitespace().collect();
        let read = match words[..] {
            [one] => days(one).map(|days| (days, all.1)).or_else(|| minutes(one).map(|minutes| (all.0, minutes))),
            [one, two] => days(one).zip(minutes(two)),
            _ => None,
        };
        let read = read.filter(|(_, (from, to))| from != to);
        let (days, minutes) = read.ok_or_else(|| Invalid(text.to_owned()))?;
        Ok(Self { written: text.to_owned(), days, minutes })
    }
}

impl TryFrom<String> for Span {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_days_and_of_hours() {
        // 2026-11-28 21:36 UTC, a Saturday.
        let saturday = Moment::at(1_795_901_760);
        assert_eq!(saturday.to_string(), "sat 21:36");
        assert_eq!(Moment::at(0).to_string(), "thu 00:00");
        for (span, expect) in [
            ("sat", true),
            ("mon-fri", false),
            ("fri-mon", true),
            ("sat 21:36-21:37", true),
            ("sat 21:00-21:36", false),
            ("20:00-06:00", true),
            ("22:00-21:00", false),
            ("sat-sun 00:00-24:00", true),
        ] {
            assert_eq!(span.parse::<Span>().unwrap().contains(saturday), expect, "{span}");
        }
        for text in [
            "",
            "someday",
            "mon-",
            "25:00-26:00",
            "10:00-10:00",
            "10:60-11:00",
            "mon 10:00",
            "mon tue wed",
            "99999:00-1:00",
        ] {
            assert_eq!(text.parse::<Span>(), Err(Invalid(text.to_owned())), "{text}");
        }
    }
}
