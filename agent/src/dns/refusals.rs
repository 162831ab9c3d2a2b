//! Reports refusals without flooding the log: the first of its kind at once, those that follow within a second as a
//! number. None is lost: whatever is counted is reported when the second is over, or when the forwarder ends.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Transport;
use crate::engine::event::{Event, Events};
use crate::engine::policy::query::{Refusal, parent};
use crate::engine::wire::dns::{Question, record_type_name};

/// Refusals of one kind are reported this often.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many kinds are told apart by their domain; beyond, only by their reason.
const KINDS: usize = 64;

/// A refusal, as it is to be reported.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) child: SocketAddr,
    pub(super) transport: Transport,
    pub(super) question: Option<Question>,
    pub(super) refusal: Refusal,
}

/// Takes refusals and reports them.
pub(super) struct Refusals {
    events: Events,
    folds: Mutex<Folds>,
    /// Something was folded that will have to be reported.
    folded: Notify,
}

/// The kinds of refusals that were reported within the last second.
struct Folds {
    interval: Duration,
    recent: HashMap<Kind, Fold>,
}

/// Refusals that are reported together: a reason and the parent of the names.
type Kind = (Refusal, Vec<u8>);

struct Fold {
    until: Instant,
    /// The latest that was not reported, and how many more there are.
    held: Option<(Refused, u64)>,
}

impl Refusals {
    pub(super) fn new(events: Events) -> Self {
        let folds = Mutex::new(Folds { interval: INTERVAL, recent: HashMap::new() });
        Self { events, folds, folded: Notify::new() }
    }

    /// Reports a refusal, now or later.
    pub(super) fn report(&self, refused: Refused) {
        let event = self.lock().add(refused, Instant::now());
        match event {
            Some(event) => self.events.emit(event),
            None => self.folded.notify_one(),
        }
    }

    /// Reports what was folded as its time comes; never ends.
    pub(super) async fn serve(&self) {
        loop {
            self.folded.notified().await;
            while let Some(next) = self.next() {
                tokio::time::sleep_until(next.into()).await;
                self.emit_all(|folds| folds.due(Instant::now()));
            }
        }
    }

    /// Reports what is still folded, and from now on every refusal at once.
    pub(super) fn end(&self) {
        self.emit_all(Folds::end);
    }

    fn next(&self) -> Option<Instant> {
        self.lock().next()
    }

    fn emit_all(&self, take: impl FnOnce(&mut Folds) -> Vec<Event>) {
        let events = take(&mut self.lock());
        events.into_iter().for_each(|event| self.events.emit(event));
    }

    fn lock(&self) -> MutexGuard<'_, Folds> {
        // Nothing panics while it is held.
        self.folds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Folds {
    /// What is to be reported of a refusal now: it and what was folded before it, or nothing yet.
    fn add(&mut self, refused: Refused, now: Instant) -> Option<Event> {
        let kind = self.kind(&refused, now);
        let fold = self.recent.entry(kind).or_insert(Fold { until: now, held: None });
        let held = fold.held.take().map_or(0, |(_, more)| more + 1);
        if now < fold.until {
            fold.held = Some((refused, held));
            return None;
        }
        fold.until = now + self.interval;
        Some(refused.event(held))
    }

    /// What is to be reported at `now`. What has been quiet for a second is forgotten.
    fn due(&mut self, now: Instant) -> Vec<Event> {
        let (interval, mut events) = (self.interval, Vec::new());
        self.recent.retain(|_, fold| {
            if fold.until > now {
                return true;
            }
            fold.until = now + interval;
            let held = fold.held.take();
            events.extend(held.as_ref().map(|(refused, more)| refused.event(*more)));
            held.is_some()
        });
        events
    }

    fn end(&mut self) -> Vec<Event> {
        self.interval = Duration::ZERO;
        let held = self.recent.drain().filter_map(|(_, fold)| fold.held);
        held.map(|(refused, more)| refused.event(more)).collect()
    }

    /// When [`Folds::due`] has something to report.
    fn next(&self) -> Option<Instant> {
        self.recent.values().filter(|fold| fold.held.is_some()).map(|fold| fold.until).min()
    }

    fn kind(&mut self, refused: &Refused, now: Instant) -> Kind {
        let name = refused.question.as_ref().map_or(&[][..], |question| &question.labels);
        let kind = (refused.refusal, parent(name).to_vec());
        if self.recent.len() < KINDS || self.recent.contains_key(&kind) {
            return kind;
        }
        self.recent.retain(|_, fold| fold.held.is_some() || fold.until > now);
        if self.recent.len() < KINDS { kind } else { (refused.refusal, Vec::new()) }
    }
}

impl Refused {
    fn event(&self, folded: u64) -> Event {
        let question = self.question.as_ref();
        Event::DnsRefused {
            child: self.child,
            transport: self.transport.name(),
            name: question.map(|question| question.name.clone()),
            record_type: question.map(|question| record_type_name(question.record_type)),
            reason: self.refusal.name(),
            folded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::wire::dns::Message;

    fn folds() -> Folds {
        Folds { interval: INTERVAL, recent: HashMap::new() }
    }

    /// A refusal of a name of one letter in a domain of one letter.
    fn refused(refusal: Refusal, name: u8, domain: u8) -> Refused {
        let query = [b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x01", &[name, 1, domain][..], b"\x04test\0\0\x01\0\x01"].concat();
        let question = Message::parse(&query).unwrap().question().cloned();
        let child = SocketAddr::from(([10, 200, 1, 2], 4000));
        Refused { child, transport: Transport::Udp, question, refusal }
    }

    /// The name that an event names, and how many it reports besides.
    fn summary(event: &Event) -> (&str, u64) {
        match event {
            Event::DnsRefused { name: Some(name), folded, .. } => (name, *folded),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn refusals_of_one_kind_are_folded_for_a_second() {
        use Refusal::{Budget, RecordType};
        let (mut folds, start) = (folds(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        for (millis, refusal, name, domain, expect) in [
            (0, Budget, b'a', b'x', Some(("a.x.test", 0))),
            (1, Budget, b'b', b'x', None),
            (2, Budget, b'c', b'y', Some(("c.y.test", 0))),
            (3, RecordType, b'd', b'x', Some(("d.x.test", 0))),
            (999, Budget, b'e', b'x', None),
            // The next reports what was folded before it.
            (1000, Budget, b'f', b'x', Some(("f.x.test", 2))),
            (1001, Budget, b'g', b'x', None),
            (1002, Budget, b'h', b'x', None),
        ] {
            let event = folds.add(refused(refusal, name, domain), at(millis));
            assert_eq!(event.as_ref().map(summary), expect, "at {millis} ms");
        }
        assert_eq!(folds.next(), Some(at(2000)));
        assert!(folds.due(at(1999)).is_empty());
        // No next one came: the latest is named.
        assert_eq!(folds.due(at(2000)).iter().map(summary).collect::<Vec<_>>(), [("h.x.test", 1)]);
        assert_eq!(folds.next(), None);
        assert!(folds.add(refused(Budget, b'i', b'x'), at(2999)).is_none(), "once a second");
        assert_eq!(folds.due(at(3000)).iter().map(summary).collect::<Vec<_>>(), [("i.x.test", 0)]);
        assert!(folds.due(at(4000)).is_empty());
        assert!(folds.recent.is_empty());
    }

    #[test]
    fn the_end_reports_what_is_left_and_folds_no_more() {
        let (mut folds, now) = (folds(), Instant::now());
        for name in b"abcd" {
            folds.add(refused(Refusal::Rate, *name, b'x'), now);
        }
        assert_eq!(folds.end().iter().map(summary).collect::<Vec<_>>(), [("d.x.test", 2)]);
        for _ in 0..2 {
            assert!(folds.add(refused(Refusal::Rate, b'e', b'x'), now).is_some());
        }
    }

    #[test]
    fn a_flood_of_domains_is_folded_by_reason_and_counted_to_the_last() {
        let (mut folds, start) = (folds(), Instant::now());
        let (mut sent, mut events) = (0, Vec::new());
        for millis in 0..3000 {
            let now = start + Duration::from_millis(millis);
            for domain in [millis % 256, millis * 7 % 256] {
                let domain = u8::try_from(domain).unwrap().max(b'a');
                let refusal = if sent % 3 == 0 { Refusal::Budget } else { Refusal::RecordType };
                events.extend(folds.add(refused(refusal, b'n', domain), now));
                sent += 1;
            }
            if millis % 100 == 0 {
                events.extend(folds.due(now));
            }
            assert!(folds.recent.len() <= KINDS + 2);
        }
        events.extend(folds.end());
        assert_eq!(events.iter().map(|event| 1 + summary(event).1).sum::<u64>(), sent);
        assert!(events.len() <= 4 * (KINDS + 2) && events.len() > KINDS, "{}", events.len());
    }
}
