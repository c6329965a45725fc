use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// A handler that has been running for longer than the worker's [limit](super::WorkerBuilder::overrun), and still is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overrun {
    /// The service that the caller asked for; empty for the default one.
    pub service: String,
    /// The master's number for the job.
    pub job: u64,
    /// Which attempt this is, from 1.
    pub attempt: u8,
    /// How long it has been running.
    pub running: Duration,
}

/// Whom to tell of overruns, besides the log.
#[derive(Clone)]
pub(super) struct Watchdog(Arc<dyn Fn(&Overrun) + Send + Sync>);

impl Watchdog {
    pub(super) fn new(tell: impl Fn(&Overrun) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Tells of an overrun. A panic ends here: the worker has other jobs to look after.
    pub(super) fn tell(&self, overrun: &Overrun) {
        if catch_unwind(AssertUnwindSafe(|| (self.0)(overrun))).is_err() {
            tracing::error!("what was to be told of an overrun panicked");
        }
    }
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog").finish_non_exhaustive()
    }
}
