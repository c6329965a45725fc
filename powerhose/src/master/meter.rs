//! How often a peer may do what is dear.

use std::time::Duration;

use crate::time::Time;

/// Lets something happen a number of times at once, and again as time goes by.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meter {
    /// When it will be as if nothing had happened.
    full: Time,
}

impl Meter {
    /// Whether it may happen now, where one time comes back in each `interval`, and `burst` are had at most.
    pub(super) fn admits(&mut self, interval: Duration, burst: u32, now: Time) -> bool {
        let full = self.full.max(now) + interval;
        let is_admitted = full.since(now) <= interval * burst;
        if is_admitted {
            self.full = full;
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_in_each_interval() {
        let second = Duration::from_secs(1);
        let mut meter = Meter::default();
        let mut now = Time::from_nanos(5);
        let mut admitted = |now| (0..10).filter(|_| meter.admits(second, 3, now)).count();
        assert_eq!(admitted(now), 3);
        now = now + second / 2;
        assert_eq!(admitted(now), 0);
        now = now + second / 2;
        assert_eq!(admitted(now), 1);
        now = now + second * 2;
        assert_eq!(admitted(now), 2);
        now = now + second * 1000;
        assert_eq!(admitted(now), 3, "no more is saved up than the burst");
    }
}
