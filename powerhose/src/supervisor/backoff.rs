//! How long a place stays empty after a process died.

use std::time::Duration;

use rand::{Rng, RngExt};

/// Waits that double from `initial` up to `max`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub(crate) initial: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// The wait after the given number of failures in a row (0 counts as 1): a random time between
    /// the half and the whole of its step, so that processes which died of one cause do not come
    /// back in step.
    pub(crate) fn delay(&self, failures: u32, rng: &mut impl Rng) -> Duration {
        let doublings = failures.saturating_sub(1);
        let step = self
            .initial
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(self.max);
        rng.random_range(step / 2..=step)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    proptest! {
        #[test]
        fn a_wait_is_between_half_a_step_and_a_step(
            initial in 0_u64..5_000, max in 0_u64..20_000, failures in 0_u32..80, seed: u64,
        ) {
            let backoff = Backoff { initial: Duration::from_millis(initial), max: Duration::from_millis(max) };
            let doubled = u128::from(initial) << failures.saturating_sub(1).min(60);
            let step = Duration::from_millis(doubled.min(u128::from(max)) as u64);
            let delay = backoff.delay(failures, &mut SmallRng::seed_from_u64(seed));
            prop_assert!(step / 2 <= delay && delay <= step, "{delay:?} for a step of {step:?}");
        }
    }

    #[test]
    fn the_longest_durations_do_not_overflow() {
        let backoff = Backoff {
            initial: Duration::MAX,
            max: Duration::MAX,
        };
        let mut rng = SmallRng::seed_from_u64(1);
        assert!(backoff.delay(u32::MAX, &mut rng) >= Duration::MAX / 2);
    }
}
