//! How the time of an exchange was spent.

use super::rows::Exchange;

/// A part of an exchange's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// `dns`, `connect`, `tls`, `sending`, `waiting` or `receiving`.
    pub name: &'static str,
    /// When it began, in microseconds since 1970.
    pub began: i64,
    /// How long it took, in microseconds.
    pub took: i64,
}

/// The phases of `exchange` that are known, in their order. Only the first exchange of a connection has waited for the
/// lookup, the connection and TLS, which came before its head did.
#[must_use]
pub fn phases(exchange: &Exchange) -> Vec<Phase> {
    let outline = &exchange.outline;
    let mut phases = before(exchange);
    let mut now = outline.started;
    // Both directions may go on at once: what is sent after the answer has begun is nobody's waiting.
    let sent = [outline.sent, outline.answered, outline.finished].into_iter().flatten().min();
    let marks = [("sending", sent), ("waiting", outline.answered), ("receiving", outline.received)];
    for (name, mark) in marks {
        if let Some(end) = mark {
            let end = end.max(now);
            phases.push(Phase { name, began: now, took: end - now });
            now = end;
        }
    }
    phases
}

fn before(exchange: &Exchange) -> Vec<Phase> {
    let Some(connection) = exchange.connection.as_ref().filter(|_| exchange.is_first) else { return Vec::new() };
    let span = |us: Option<u64>| us.and_then(|us| i64::try_from(us).ok());
    let known =
        [("dns", span(exchange.dns_us)), ("connect", span(connection.connect_us)), ("tls", span(connection.tls_us()))];
    let known = known.into_iter().filter_map(|(name, took)| Some((name, took?)));
    let known: Vec<(&'static str, i64)> = known.collect();
    let mut began = exchange.outline.started - known.iter().map(|(_, took)| took).sum::<i64>();
    let phase = |(name, took)| {
        let phase = Phase { name, began, took };
        began += took;
        phase
    };
    known.into_iter().map(phase).collect()
}
