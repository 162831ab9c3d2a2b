//! What has been used of limits. It outlives the rules: a reload gives nobody more.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::rules::amount::Rate;
use super::rules::limit::{Limit, Over, Per, Period};
use crate::engine::http::exchange::Direction;

/// How many counters there are at most; those that are whole again make room.
const CAPACITY: usize = 16_384;
/// How long who waits for another's end waits before it asks again.
const AGAIN: Duration = Duration::from_millis(20);
/// For how long a limit of bytes lets pass at once.
const BURST: Duration = Duration::from_millis(100);

/// What is counted together: the rule, and the host or program.
pub type Key = (String, String);

/// All counters of a session.
#[derive(Debug, Default)]
pub struct Meter {
    counters: HashMap<Key, Counter>,
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    /// When all requests of the rate may come again.
    requests: Instant,
    /// The same for bytes.
    bytes: [Instant; 2],
    running: u32,
    used_requests: u64,
    used_bytes: u64,
    day: u64,
}

impl Counter {
    const fn new(now: Instant) -> Self {
        Self { requests: now, bytes: [now; 2], running: 0, used_requests: 0, used_bytes: 0, day: 0 }
    }

    fn is_whole(&self, now: Instant) -> bool {
        self.running == 0 && self.used_requests == 0 && self.requests <= now && self.bytes.iter().all(|at| *at <= now)
    }
}

/// A limit, and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// What is counted together.
    pub key: Key,
    /// The limit.
    pub limit: Limit,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It goes on, and counts.
    Go,
    /// It may ask again after this.
    Wait(Duration),
    /// It is over the limit of this number, and may try again after this, if that helps.
    Refuse(usize, Option<Duration>),
}

/// What is counted together under a rule.
#[must_use]
pub fn key(rule: &str, per: Per, host: &str, program: &str) -> Key {
    let part = match per {
        Per::Rule => "",
        Per::Host => host,
        Per::Process => program,
    };
    (rule.to_owned(), part.to_owned())
}

impl Meter {
    /// Lets a request in if all limits do, `now`, on the day of this number. Who is let in must [`leave`](Self::leave).
    pub fn enter(&mut self, limits: &[Applied], now: Instant, day: u64) -> Entry {
        for (number, Applied { key, limit }) in limits.iter().enumerate() {
            let counter = self.counter(key, now);
            if limit.quota.is_some_and(|quota| quota.per == Period::Day) && counter.day != day {
                (counter.used_requests, counter.used_bytes, counter.day) = (0, 0, day);
            }
            if let Some(after) = wait(limit, counter, now) {
                return match (limit.over, after) {
                    (Over::Wait, Some(after)) => Entry::Wait(after),
                    (_, after) => Entry::Refuse(number, after),
                };
            }
        }
        for Applied { key, limit } in limits {
            let counter = self.counter(key, now);
            counter.running += 1;
            counter.used_requests += 1;
            if let Some(rate) = limit.requests {
                counter.requests = counter.requests.max(now) + each(rate);
            }
        }
        Entry::Go
    }

    /// A request that was let in is over.
    pub fn leave(&mut self, limits: &[Applied]) {
        for Applied { key, .. } in limits {
            if let Some(counter) = self.counters.get_mut(key) {
                counter.running = counter.running.saturating_sub(1);
            }
        }
    }

    /// Bytes have passed; how long the next ones are to wait.
    pub fn spend(&mut self, limits: &[Applied], direction: Direction, bytes: u64, now: Instant) -> Duration {
        let mut longest = Duration::ZERO;
        for Applied { key, limit } in limits {
            let rate = match direction {
                Direction::Request => limit.up,
                Direction::Response => limit.down,
            };
            let counter = self.counter(key, now);
            counter.used_bytes = counter.used_bytes.saturating_add(bytes);
            if let Some(rate) = rate {
                let at = &mut counter.bytes[direction as usize];
                *at = (*at).max(now) + each(rate).mul_f64(bytes as f64);
                longest = longest.max(at.saturating_duration_since(now + BURST));
            }
        }
        longest
    }

    fn counter(&mut self, key: &Key, now: Instant) -> &mut Counter {
        if self.counters.len() >= CAPACITY && !self.counters.contains_key(key) {
            self.counters.retain(|_, counter| !counter.is_whole(now));
        }
        self.counters.entry(key.clone()).or_insert_with(|| Counter::new(now))
    }
}

/// How long a request would have to wait; nothing if it need not, and no time if waiting does not help.
fn wait(limit: &Limit, counter: &Counter, now: Instant) -> Option<Option<Duration>> {
    if let Some(quota) = limit.quota {
        let spent = quota.requests.is_some_and(|most| counter.used_requests >= most)
            || quota.bytes.is_some_and(|most| counter.used_bytes >= most.count());
        if spent {
            return Some(None);
        }
    }
    if limit.concurrent.is_some_and(|most| counter.running >= most) {
        return Some(Some(AGAIN));
    }
    let rate = limit.requests?;
    let burst = limit.burst.map_or(rate.count(), u64::from).max(1);
    let room = each(rate).mul_f64((burst - 1) as f64);
    let after = counter.requests.saturating_duration_since(now + room);
    (!after.is_zero()).then_some(Some(after))
}

/// How long each takes to come back.
fn each(rate: Rate) -> Duration {
    rate.per().div_f64(rate.count() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(limit: &str) -> Vec<Applied> {
        let limit: Limit = toml::from_str(limit).unwrap_or_else(|error| panic!("{limit}: {error}"));
        vec![Applied { key: key("rule", limit.per, "host", "program"), limit }]
    }

    #[test]
    fn requests_come_as_fast_as_the_rate_says() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let ms = |ms| Some(Duration::from_millis(ms));
        let mut meter = Meter::default();
        let limits = applied("requests = '2/s'");
        for (now, expect) in [
            (0, Entry::Go),
            (0, Entry::Go),
            (0, Entry::Refuse(0, ms(500))),
            (499, Entry::Refuse(0, ms(1))),
            (500, Entry::Go),
            (500, Entry::Refuse(0, ms(500))),
            (5000, Entry::Go),
            (5000, Entry::Go),
            (5000, Entry::Refuse(0, ms(500))),
        ] {
            assert_eq!(meter.enter(&limits, at(now), 0), expect, "at {now} ms");
        }
        let waiting = applied("requests = '2/s'\nburst = 1\nover = 'wait'");
        let mut meter = Meter::default();
        assert_eq!(meter.enter(&waiting, start, 0), Entry::Go);
        assert_eq!(meter.enter(&waiting, start, 0), Entry::Wait(Duration::from_millis(500)));
    }

    #[test]
    fn who_is_on_the_way_counts_until_the_end() {
        let now = Instant::now();
        let mut meter = Meter::default();
        let limits = applied("concurrent = 2");
        assert_eq!([meter.enter(&limits, now, 0), meter.enter(&limits, now, 0)], [Entry::Go; 2]);
        assert_eq!(meter.enter(&limits, now, 0), Entry::Refuse(0, Some(AGAIN)));
        meter.leave(&limits);
        assert_eq!(meter.enter(&limits, now, 0), Entry::Go);
    }

    #[test]
    fn a_quota_is_used_up_until_its_period_is_over() {
        let now = Instant::now();
        for (quota, day_two) in
            [("{ requests = 2 }", Entry::Refuse(0, None)), ("{ requests = 2, per = 'day' }", Entry::Go)]
        {
            let mut meter = Meter::default();
            let limits = applied(&format!("quota = {quota}"));
            let days = [1, 1, 1, 2].map(|day| meter.enter(&limits, now, day));
            assert_eq!(days, [Entry::Go, Entry::Go, Entry::Refuse(0, None), day_two], "{quota}");
        }
        let mut meter = Meter::default();
        let limits = applied("quota = { bytes = '1 KiB' }");
        assert_eq!(meter.enter(&limits, now, 0), Entry::Go);
        assert_eq!(meter.spend(&limits, Direction::Response, 1024, now), Duration::ZERO);
        assert_eq!(meter.enter(&limits, now, 0), Entry::Refuse(0, None));
    }

    #[test]
    fn bytes_are_slowed_down_to_the_rate() {
        let now = Instant::now();
        let mut meter = Meter::default();
        let limits = applied("down = '1 KB/s'");
        assert_eq!(meter.spend(&limits, Direction::Request, 5000, now), Duration::ZERO);
        assert_eq!(meter.spend(&limits, Direction::Response, 100, now), Duration::ZERO);
        let waits = meter.spend(&limits, Direction::Response, 1000, now);
        assert_eq!(waits.as_millis(), 1000);
    }

    #[test]
    fn what_is_counted_together_is_what_the_rule_says() {
        for (per, expect) in [(Per::Rule, ""), (Per::Host, "host"), (Per::Process, "program")] {
            assert_eq!(key("r", per, "host", "program"), ("r".to_owned(), expect.to_owned()));
        }
        let now = Instant::now();
        let mut meter = Meter::default();
        let of = |host: &str| {
            let limit: Limit = toml::from_str("concurrent = 1\nper = 'host'").unwrap();
            vec![Applied { key: key("r", limit.per, host, ""), limit }]
        };
        assert_eq!([meter.enter(&of("a"), now, 0), meter.enter(&of("b"), now, 0)], [Entry::Go; 2]);
        assert_eq!(meter.enter(&of("a"), now, 0), Entry::Refuse(0, Some(AGAIN)));
    }
}
