use std::mem;
use std::time::Duration;

use crate::driver::monitor::News;
use crate::time::Time;

/// How often refused connections are logged at most. Peers that are refused try again and again.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// The connections that were refused.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    count: u64,
    over_tcp: Unlogged,
    over_ipc: Unlogged,
}

/// Those of one kind that the log does not know of yet.
#[derive(Debug, Default)]
struct Unlogged {
    count: u64,
    quiet_until: Time,
}

impl Unlogged {
    /// Adds some more. Returns how many are to be logged now.
    fn add(&mut self, count: u64, now: Time) -> Option<u64> {
        self.count += count;
        if self.count == 0 || now < self.quiet_until {
            return None;
        }
        self.quiet_until = now + LOG_EVERY;
        Some(mem::take(&mut self.count))
    }
}

impl Refusals {
    /// Counts some more, and says so in the log now and then. `is_dead`: nobody is there to admit anyone, which has been logged and is
    /// reason enough.
    pub(super) fn note(&mut self, news: News, is_dead: bool, now: Time) {
        self.count += news.refused + news.not_listed + news.strangers;
        if let Some(refused) = self.over_ipc.add(news.strangers, now) {
            tracing::warn!(
                refused,
                "refused connections over ipc: no ZMTP 3, another mechanism than NULL, or no DEALER"
            );
        }
        if is_dead {
            return;
        }
        if let Some(refused) = self.over_tcp.add(news.refused, now) {
            tracing::warn!(
                refused,
                "refused connections over tcp: without CURVE, or with a wrong key of this master"
            );
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod dead_handler;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_counted_and_logged_now_and_then() {
        let mut refusals = Refusals::default();
        let one = News {
            refused: 1,
            ..News::default()
        };
        for _ in 0..3 {
            refusals.note(one, false, Time::ZERO);
        }
        assert_eq!((refusals.count(), refusals.over_tcp.count), (3, 2));
        refusals.note(News::default(), false, Time::ZERO + LOG_EVERY);
        assert_eq!((refusals.count(), refusals.over_tcp.count), (3, 0));
    }

    #[test]
    fn what_the_handler_has_logged_is_not_logged_again() {
        let mut refusals = Refusals::default();
        let not_listed = News {
            not_listed: 1,
            ..News::default()
        };
        refusals.note(not_listed, false, Time::ZERO);
        let after_its_death = News {
            refused: 1,
            ..not_listed
        };
        refusals.note(after_its_death, true, Time::ZERO);
        assert_eq!(refusals.count(), 3);
        assert_eq!(
            refusals.over_tcp.quiet_until,
            Time::ZERO,
            "nothing was logged"
        );
    }
}
