//! Times as people and formats write them: RFC 3339, in UTC.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Microseconds since 1970 as RFC 3339 in UTC, with microseconds.
#[must_use]
pub fn rfc3339(micros: i64) -> String {
    let time = moment(micros);
    let date = time.date();
    let (hour, minute, second, micro) = time.time().as_hms_micro();
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z")
}

/// The time of day alone, in UTC, with milliseconds.
#[must_use]
pub fn clock(micros: i64) -> String {
    let (hour, minute, second, milli) = moment(micros).time().as_hms_milli();
    format!("{hour:02}:{minute:02}:{second:02}.{milli:03}")
}

/// As in `20260102T030405Z`: a time that names of files can have.
#[must_use]
pub fn stamp(micros: i64) -> String {
    rfc3339(micros).chars().take_while(|&c| c != '.').filter(|c| !"-:".contains(*c)).chain(['Z']).collect()
}

/// Microseconds since 1970 of a time in RFC 3339; of a date alone, its beginning in UTC.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let is_date = text.len() == "2026-01-01".len();
    let whole = if is_date { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let time = OffsetDateTime::parse(&whole, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000).ok()
}

/// What is beyond the calendar is its beginning: a capture may say anything.
fn moment(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::{clock, parse, rfc3339, stamp};

    #[test]
    fn times_are_written_and_read_in_utc() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_764_000_000_123_456, "2025-11-24T16:00:00.123456Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(rfc3339(micros), text);
            assert_eq!(parse(text), Some(micros));
        }
        assert_eq!(clock(1_764_000_000_123_456), "16:00:00.123");
        assert_eq!(stamp(1_764_000_000_123_456), "20251124T160000Z");
        assert_eq!(rfc3339(i64::MAX), rfc3339(0));
    }

    #[test]
    fn a_zone_and_a_date_alone_are_understood() {
        assert_eq!(parse("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(parse("1970-01-02"), Some(86_400_000_000));
        for text in ["", "5m", "1970-13-01", "1970-01-01T00:00:00", "1970-01-01 00:00"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
