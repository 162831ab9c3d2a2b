//! Which DNS queries may pass, and what of them. Names that nothing may go to are not asked about at all
//! ([`Policy::withholds`](super::Policy::withholds)). In enforce mode limits keep a session from carrying data out in the names it asks for: on what a question looks like (`shape`), on how many there
//! are, and on how much their names say (`budget`). In observe mode all pass but zone transfers, for which nobody who
//! looks for an address has use.

mod bucket;
mod budget;
mod shape;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use self::bucket::{Allowance, Bucket};
use self::budget::Budget;
pub use self::budget::parent;
use super::Mode;
use crate::engine::wire::dns::{Message, Question, Rcode, is_transfer};

/// How many queries may pass: 200 at once, and 50 a second.
const RATE: Allowance = Allowance { most: 200, each: Duration::from_millis(20) };
/// Most bytes of a response.
const LARGEST_RESPONSE: usize = 2048;

/// Judges the queries of one session, one after the other: what may pass depends on what has.
#[derive(Debug)]
pub struct QueryPolicy {
    mode: Mode,
    rate: Bucket,
    budget: Budget,
}

/// Why a query, or the response to one, does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The query cannot be read, or has no question.
    Malformed,
    /// It is a response, or asks for something else than records.
    NotAQuery,
    /// It asks for a whole zone.
    ZoneTransfer,
    /// It is not about the internet.
    Class,
    /// It asks for records that do not tell how to reach somebody.
    RecordType,
    /// Its name is too long.
    NameLength,
    /// A label of its name looks like data.
    LabelEntropy,
    /// There are too many queries.
    Rate,
    /// Too many different names of the same domain, or in all, are asked for.
    Budget,
    /// The response is too large.
    AnswerSize,
}

/// Proof that the policy lets a query pass. Whatever goes to a resolver is taken from one.
#[derive(Debug)]
pub struct QueryPermit<'a> {
    query: &'a Message<'a>,
    mode: Mode,
}

impl QueryPolicy {
    pub(super) fn new(mode: Mode, now: Instant) -> Self {
        Self { mode, rate: Bucket::whole(RATE, now), budget: Budget::new(now) }
    }

    /// Judges a query, before anything of it is forwarded.
    ///
    /// # Errors
    /// Why it does not pass. It then has cost nothing but, perhaps, one of the queries that may pass.
    pub fn permit<'a>(&mut self, query: &'a Message<'a>, now: Instant) -> Result<QueryPermit<'a>, Refusal> {
        let question = query.question().ok_or(Refusal::Malformed)?;
        if is_transfer(question.record_type) {
            return Err(Refusal::ZoneTransfer);
        }
        match self.mode {
            Mode::Observe | Mode::DryRun => {}
            Mode::Enforce => self.limit(question, now)?,
        }
        Ok(QueryPermit { query, mode: self.mode })
    }

    fn limit(&mut self, question: &Question, now: Instant) -> Result<(), Refusal> {
        shape::check(question)?;
        if !self.rate.holds(1, now) {
            return Err(Refusal::Rate);
        }
        self.rate.take(1, now);
        if self.budget.charge(question, now) { Ok(()) } else { Err(Refusal::Budget) }
    }
}

impl QueryPermit<'_> {
    /// The query that was judged.
    #[must_use]
    pub fn query(&self) -> &Message<'_> {
        self.query
    }

    /// What a resolver is sent, under the number `id`: in enforce mode the question alone, since all else in a message
    /// can carry data as well and was not judged.
    #[must_use]
    pub fn forwarded(&self, id: u16) -> Vec<u8> {
        match self.mode {
            Mode::Observe | Mode::DryRun => self.query.forwarded(id),
            Mode::Enforce => self.query.forwarded_bare(id),
        }
    }

    /// Judges the response of a resolver.
    ///
    /// # Errors
    /// Why it does not pass.
    pub fn admit(&self, response: &[u8]) -> Result<(), Refusal> {
        match self.mode {
            Mode::Enforce if response.len() > LARGEST_RESPONSE => Err(Refusal::AnswerSize),
            Mode::Enforce | Mode::Observe | Mode::DryRun => Ok(()),
        }
    }
}

impl Refusal {
    /// The word that events use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NotAQuery => "not-a-query",
            Self::ZoneTransfer => "zone-transfer",
            Self::Class => "class",
            Self::RecordType => "record-type",
            Self::NameLength => "name-length",
            Self::LabelEntropy => "label-entropy",
            Self::Rate => "rate",
            Self::Budget => "budget",
            Self::AnswerSize => "answer-size",
        }
    }

    /// The response code that tells the child.
    #[must_use]
    pub const fn rcode(self) -> Rcode {
        match self {
            Self::Malformed => Rcode::FORMERR,
            Self::NotAQuery => Rcode::NOTIMP,
            Self::ZoneTransfer
            | Self::Class
            | Self::RecordType
            | Self::NameLength
            | Self::LabelEntropy
            | Self::Rate
            | Self::Budget
            | Self::AnswerSize => Rcode::REFUSED,
        }
    }
}
