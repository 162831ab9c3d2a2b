//! An allowance that is used up and comes back evenly: a token bucket, kept as the moment at which it is whole again.

use std::time::{Duration, Instant};

/// How much there is of something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Allowance {
    /// What may be taken at once.
    pub(super) most: u32,
    /// How long each that was taken needs to come back.
    pub(super) each: Duration,
}

/// What is left of an allowance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    allowance: Allowance,
    whole_at: Instant,
}

impl Bucket {
    /// All of `allowance`.
    pub(super) const fn whole(allowance: Allowance, now: Instant) -> Self {
        Self { allowance, whole_at: now }
    }

    /// Whether all of the allowance is there.
    pub(super) fn is_whole(&self, now: Instant) -> bool {
        self.whole_at <= now
    }

    /// Whether `amount` is left.
    pub(super) fn holds(&self, amount: u32, now: Instant) -> bool {
        self.whole_after(amount, now) <= now + self.allowance.each * self.allowance.most
    }

    /// Takes `amount`. Nothing is left, for longer, if it is more than the bucket holds.
    pub(super) fn take(&mut self, amount: u32, now: Instant) {
        self.whole_at = self.whole_after(amount, now);
    }

    fn whole_after(&self, amount: u32, now: Instant) -> Instant {
        self.whole_at.max(now) + self.allowance.each * amount
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_comes_back_evenly() {
        let start = Instant::now();
        let mut bucket = Bucket::whole(Allowance { most: 10, each: Duration::from_secs(1) }, start);
        for (second, left, taken) in [(0, 10, 4), (0, 6, 6), (0, 0, 0), (1, 1, 1), (4, 3, 1), (6, 4, 0), (1000, 10, 1)]
        {
            let now = start + Duration::from_secs(second);
            assert!(bucket.holds(left, now) && !bucket.holds(left + 1, now), "at {second} s");
            assert_eq!(bucket.is_whole(now), left == 10, "at {second} s");
            bucket.take(taken, now);
        }
    }
}
