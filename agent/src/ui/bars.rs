//! Spans of time as bars below one another, each from where it began to where it ended.

/// How wide all of them are together.
const WIDTH: i64 = 40;

/// A span.
pub struct Span {
    /// What it is of.
    pub name: &'static str,
    /// When it began, in microseconds of any clock.
    pub began: i64,
    /// How long it took, in microseconds.
    pub took: i64,
}

/// One line for each span. Even the shortest has a mark.
#[must_use]
pub fn bars(spans: &[Span]) -> Vec<String> {
    let first = spans.iter().map(|span| span.began).min().unwrap_or(0);
    let last = spans.iter().map(|span| span.began + span.took).max().unwrap_or(0);
    let whole = (last - first).max(1);
    let place = |time: i64| usize::try_from((time - first) * WIDTH / whole).unwrap_or(0);
    let line = |span: &Span| {
        let (from, to) = (place(span.began), place(span.began + span.took));
        let bar = "█".repeat((to - from).max(1));
        // What begins at the very end still has to be seen.
        let from = from.min(place(last).saturating_sub(1));
        format!("{:<10} {:>10}  {}{bar}", span.name, millis(span.took), " ".repeat(from))
    };
    spans.iter().map(line).collect()
}

/// Microseconds in milliseconds, with as many digits as say something.
#[must_use]
pub fn millis(micros: i64) -> String {
    match micros {
        ..10_000 => format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10),
        10_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        1_000_000.. => format!("{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_begin_where_the_time_does() {
        let spans = [("dns", 100, 10), ("connect", 110, 20), ("waiting", 130, 10), ("late", 140, 0)];
        let spans = spans.map(|(name, began, took)| Span { name, began, took });
        let expect = [
            format!("dns           0.01 ms  {}", "█".repeat(10)),
            format!("connect       0.02 ms  {}{}", " ".repeat(10), "█".repeat(20)),
            format!("waiting       0.01 ms  {}{}", " ".repeat(30), "█".repeat(10)),
            format!("late          0.00 ms  {}█", " ".repeat(39)),
        ];
        assert_eq!(bars(&spans), expect);
        assert!(bars(&[]).is_empty());
    }

    #[test]
    fn times_have_the_digits_that_matter() {
        for (micros, text) in
            [(0, "0.00 ms"), (1_234, "1.23 ms"), (12_345, "12.3 ms"), (1_234_567, "1.23 s"), (61_000_000, "61.00 s")]
        {
            assert_eq!(millis(micros), text);
        }
    }
}
