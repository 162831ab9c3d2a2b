//! How much the names that a session asks for may say. A name that was not asked for before can carry whatever its
//! sender likes to whoever answers for its domain, so it costs its bytes; one that was asked for lately costs what it
//! still says, namely which of those it is. Each domain has a budget of its own, and all of them one together.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::bucket::{Allowance, Bucket};
use crate::engine::wire::dns::{Question, labels};

/// What names below one domain may say, in bits: 8 KiB, and 600 bytes a minute. That is enough for 200 names of 40 bytes
/// below a cloud's domain at once and 20 a minute from then on, each asked for with three types.
const DOMAIN: Allowance = Allowance { most: 8 * 8192, each: Duration::from_micros(12_500) };
/// What all names together may say, in bits: 64 KiB, and 3,000 bytes a minute; or who has many domains had many budgets.
const SESSION: Allowance = Allowance { most: 8 * 65_536, each: Duration::from_micros(2500) };
/// How many domains are remembered.
const DOMAINS: usize = 512;
/// How many names of one domain are remembered; the one not asked for for longest makes room.
const NAMES: usize = 256;
/// How many domains a name may be charged to.
const LEVELS: usize = 2;

/// The budgets, and the names that were asked for lately.
#[derive(Debug)]
pub(super) struct Budget {
    session: Bucket,
    domains: HashMap<Vec<u8>, Domain>,
}

/// The names of one domain.
#[derive(Debug)]
struct Domain {
    bucket: Bucket,
    /// When each was asked for last.
    names: HashMap<Vec<u8>, Instant>,
    record_types: HashSet<u16>,
    used: Instant,
}

/// What a name costs one of its domains.
struct Charge<'a> {
    domain: &'a [u8],
    name: &'a [u8],
    bits: u32,
}

impl Budget {
    /// Nothing asked for yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { session: Bucket::whole(SESSION, now), domains: HashMap::new() }
    }

    /// Charges a question if every budget that it belongs to holds what it costs; whether that is so. What is not
    /// charged is not remembered.
    pub(super) fn charge(&mut self, question: &Question, now: Instant) -> bool {
        let charges = self.charges(question);
        let total = self.cost_of_domain(&charges) + charges.iter().map(|charge| charge.bits).sum::<u32>();
        let affordable = self.session.holds(total, now) && charges.iter().all(|charge| self.holds(charge, now));
        if !affordable || !self.make_room(now) {
            return false;
        }
        self.session.take(total, now);
        for charge in charges {
            let domain = self.domains.entry(charge.domain.to_vec()).or_insert_with(|| Domain::new(now));
            domain.take(&charge, question.record_type, now);
        }
        true
    }

    fn charges<'a>(&self, question: &'a Question) -> Vec<Charge<'a>> {
        let charge = |(domain, name): (&'a [u8], &'a [u8])| {
            let known = self.domains.get(domain).and_then(|known| known.cost_again(name, question.record_type));
            Charge { domain, name, bits: known.unwrap_or_else(|| bits(name.len() - domain.len())) }
        };
        levels(&question.labels).map(charge).collect()
    }

    fn holds(&self, charge: &Charge<'_>, now: Instant) -> bool {
        self.domains.get(charge.domain).is_none_or(|domain| domain.bucket.holds(charge.bits, now))
    }

    /// What it says to ask for something in the highest domain at all.
    fn cost_of_domain(&self, charges: &[Charge<'_>]) -> u32 {
        let domain = charges.last().map_or(&[][..], |charge| charge.domain);
        if self.domains.contains_key(domain) { choice(self.domains.len()) } else { bits(domain.len()) }
    }

    /// Makes room for the domains of one more name. A domain is forgotten only when its budget is whole, so that
    /// nothing is given back by forgetting it; whether there is room then.
    fn make_room(&mut self, now: Instant) -> bool {
        while self.domains.len() > DOMAINS - LEVELS {
            let whole = self.domains.iter().filter(|(_, domain)| domain.bucket.is_whole(now));
            let oldest = whole.min_by_key(|(_, domain)| domain.used).map(|(name, _)| name.clone());
            let Some(oldest) = oldest else { return false };
            self.domains.remove(&oldest);
        }
        true
    }
}

impl Domain {
    fn new(now: Instant) -> Self {
        let bucket = Bucket::whole(DOMAIN, now);
        Self { bucket, names: HashMap::new(), record_types: HashSet::new(), used: now }
    }

    /// What it costs to ask for a name that was asked for lately: which one, and which of its records.
    fn cost_again(&self, name: &[u8], record_type: u16) -> Option<u32> {
        let types = self.record_types.len() + usize::from(!self.record_types.contains(&record_type));
        self.names.contains_key(name).then(|| choice(self.names.len() * types))
    }

    fn take(&mut self, charge: &Charge<'_>, record_type: u16, now: Instant) {
        if self.names.len() >= NAMES && !self.names.contains_key(charge.name) {
            let oldest = self.names.iter().min_by_key(|(_, asked)| **asked).map(|(name, _)| name.clone());
            oldest.and_then(|oldest| self.names.remove(&oldest));
        }
        self.names.insert(charge.name.to_vec(), now);
        self.record_types.insert(record_type);
        self.used = now;
        self.bucket.take(charge.bits, now);
    }
}

/// The domain that a name is counted with: its last two labels, or three where the last two are like `co.uk`. Both as
/// [`Question::labels`] has names.
#[must_use]
pub fn parent(name: &[u8]) -> &[u8] {
    let labels: Vec<&[u8]> = labels(name).collect();
    let like_co_uk = matches!(labels[..], [.., second, top] if second.len() <= 3 && top.len() == 2);
    last(name, if like_co_uk { 3 } else { 2 })
}

/// The domains that a name is charged to, lowest first, and the name as each knows it. Nobody can tell whether the last
/// two labels are like `co.uk` because many share them or because they are somebody's, so where they are, the third is
/// charged to them.
fn levels(name: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let parent = parent(name);
    let shared = last(parent, 2);
    [(parent, name), (shared, parent)].into_iter().take(if shared == parent { 1 } else { LEVELS })
}

/// The last `count` labels of `name`.
fn last(name: &[u8], count: usize) -> &[u8] {
    let labels: Vec<&[u8]> = labels(name).collect();
    let bytes: usize = labels.iter().rev().take(count).map(|label| 1 + label.len()).sum();
    &name[name.len() - bytes..]
}

fn bits(bytes: usize) -> u32 {
    u32::try_from(8 * bytes).unwrap_or(u32::MAX)
}

/// The bits that it takes to say which of `count`.
fn choice(count: usize) -> u32 {
    count.next_power_of_two().ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::wire::dns::Message;

    fn charge(budget: &mut Budget, labels: &[&[u8]], now: Instant) -> bool {
        let name = labels.iter().flat_map(|label| [&[u8::try_from(label.len()).unwrap()], *label].concat());
        let name: Vec<u8> = name.collect();
        let query = [b"\0\0\x01\0\0\x01\0\0\0\0\0\0", &name[..], b"\0\0\x01\0\x01"].concat();
        budget.charge(Message::parse(&query).unwrap().question().unwrap(), now)
    }

    #[test]
    fn memory_is_bounded() {
        let (mut budget, mut now) = (Budget::new(Instant::now()), Instant::now());
        for number in 0..2000_u32 {
            now += Duration::from_secs(1);
            let label = format!("{number:x}");
            assert!(charge(&mut budget, &[label.as_bytes(), b"one", b"test"], now), "{number}");
            assert!(charge(&mut budget, &[b"www", label.as_bytes(), b"test"], now), "{number}");
        }
        assert_eq!(budget.domains.len(), DOMAINS - 1, "room for one domain was made, and one is charged");
        let one: Vec<&Domain> = budget.domains.values().filter(|domain| domain.names.len() > 1).collect();
        assert!(matches!(one[..], [Domain { names, .. }] if names.len() == NAMES));
    }

    #[test]
    fn what_is_refused_costs_nothing_and_is_not_remembered() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        // Both levels of `a.abc.io`; the upper one has nothing left.
        let label = |number: u32| format!("{number:060}").into_bytes();
        let passed = (0..1000).take_while(|number| charge(&mut budget, &[&label(*number), b"abc", b"io"], now)).count();
        assert!(passed > 100, "{passed}");
        let (session, domains) = (budget.session, budget.domains.len());
        for number in 1000..1010 {
            assert!(!charge(&mut budget, &[b"www", &label(number), b"abc", b"io"], now));
        }
        assert_eq!((budget.session, budget.domains.len()), (session, domains));
    }
}
