use std::time::Duration;

use rand::{Rng, RngExt};

use crate::time::Time;
use crate::wire::limits::{BACKOFF_FIRST, BACKOFF_LIMIT};

/// When to look for a master again, and when to stop looking.
pub(super) struct Reconnect {
    limit: Duration,
    /// Tries in a row that led to no lasting session.
    failures: u32,
    /// Since when there is no master.
    since: Time,
}

impl Reconnect {
    pub(super) fn new(limit: Duration, now: Time) -> Self {
        Self {
            limit,
            failures: 0,
            since: now,
        }
    }

    /// A session that lasted this long has ended. A short one counts as one more failure: otherwise a master that accepts everybody
    /// and drops everybody would be stormed.
    pub(super) fn lost(&mut self, lasted: Duration, now: Time) {
        if lasted >= BACKOFF_LIMIT {
            self.failures = 0;
        }
        self.since = now;
    }

    /// How long to wait before the next try: at random between half a step and the whole, so that workers which lost the same
    /// master do not come back in step. Each step is twice the one before, up to a limit.
    pub(super) fn delay(&mut self, rng: &mut impl Rng) -> Duration {
        let step = BACKOFF_FIRST
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(BACKOFF_LIMIT);
        self.failures = self.failures.saturating_add(1);
        rng.random_range(step / 2..=step)
    }

    /// When to stop trying.
    pub(super) fn give_up_at(&self) -> Time {
        self.since + self.limit
    }

    /// The process slept: that is no time in which it tried.
    pub(super) fn credit(&mut self, slept: Duration) {
        self.since = self.since + slept;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    #[test]
    fn delays_double_up_to_the_limit_and_vary() {
        let mut rng = SmallRng::seed_from_u64(3);
        let mut reconnect = Reconnect::new(Duration::MAX, Time::ZERO);
        let mut step = BACKOFF_FIRST;
        for _ in 0..100 {
            let delay = reconnect.delay(&mut rng);
            assert!(step / 2 <= delay && delay <= step, "{delay:?} of {step:?}");
            step = (step * 2).min(BACKOFF_LIMIT);
        }
        let mut longest = || reconnect.delay(&mut rng);
        assert_ne!(longest(), longest());
    }

    #[test]
    fn only_a_lasting_session_resets_the_delays() {
        let mut rng = SmallRng::seed_from_u64(3);
        let mut reconnect = Reconnect::new(Duration::MAX, Time::ZERO);
        for _ in 0..10 {
            reconnect.delay(&mut rng);
        }
        reconnect.lost(BACKOFF_LIMIT / 2, Time::ZERO);
        assert!(reconnect.delay(&mut rng) >= BACKOFF_LIMIT / 2);
        reconnect.lost(BACKOFF_LIMIT, Time::ZERO);
        assert!(reconnect.delay(&mut rng) <= BACKOFF_FIRST);
    }
}
