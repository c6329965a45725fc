use std::time::Duration;

use super::failure::CallError;
use crate::driver::clock::Clock;
use crate::time::Time;

/// How often it is looked whether a running job is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A job for a program.
pub(super) struct Call<'job> {
    pub(super) body: &'job [u8],
    pub(super) service: &'job str,
    pub(super) attempt: u8,
    pub(super) timeout: Duration,
    pub(super) is_cancelled: &'job dyn Fn() -> bool,
}

/// Until when a job may go on, from the making of this.
pub(super) struct Limit<'job> {
    call: &'job Call<'job>,
    clock: Clock,
    overrun_at: Option<Time>,
}

impl<'job> Limit<'job> {
    pub(super) fn new(call: &'job Call<'job>, job_timeout: Option<Duration>) -> Self {
        Self {
            call,
            clock: Clock::new(),
            overrun_at: job_timeout.map(|timeout| Time::ZERO + timeout),
        }
    }

    /// How long to wait before asking again.
    ///
    /// # Errors
    /// The time is over, or nobody wants the answer any more.
    pub(super) fn check(&self) -> Result<Duration, CallError> {
        let now = self.clock.now();
        let left = (Time::ZERO + self.call.timeout).since(now);
        if left.is_zero() || (self.call.is_cancelled)() {
            return Err(CallError::GivenUp);
        }
        let until_overrun = self.overrun_at.map(|at| at.since(now));
        if until_overrun.is_some_and(|left| left.is_zero()) {
            return Err(CallError::Overrun);
        }
        Ok(until_overrun
            .map_or(left, |until| until.min(left))
            .min(LOOK_EVERY))
    }

    /// Waits.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(super) fn pause(&self, mut left: Duration) -> Result<(), CallError> {
        while !left.is_zero() {
            let nap = self.check()?.min(left);
            std::thread::sleep(nap);
            left -= nap;
        }
        Ok(())
    }
}
