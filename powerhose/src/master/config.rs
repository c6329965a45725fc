use std::time::Duration;

use super::workers::Worker;
use crate::wire::limits;

/// The settings of the core. Every limit has a default with which nothing needs to be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// How often workers ping; at least 1 ms. Default 1 s. A driver that comes later than it was asked to by more than a
    /// quarter of this was stopped, the core takes it, and credits the time to every worker.
    pub heartbeat: Duration,
    /// After how many silent intervals an idle worker counts as lost; at least 2, since pings are that far apart at times.
    /// Default 3.
    pub misses: u32,
    /// The largest payload and result in bytes. Default 16 MiB.
    pub max_body: usize,
    /// The most jobs that wait for a worker, over all services. Default 100,000. A job beyond it is `Overloaded`.
    pub max_queue_jobs: usize,
    /// The most bytes of payload that wait for a worker. Default 256 MiB. A job beyond it is `Overloaded`.
    pub max_queue_bytes: usize,
    /// The most workers registered at the same time. Default 4,096. One beyond it is rejected.
    pub max_workers: usize,
    /// The most jobs that a worker holds per slot beyond those it works on; at most 128, which is what workers have room
    /// for. Default 128; 0 turns prefetching off.
    pub max_prefetch: u16,
    /// How much work, by measured service time, a worker may hold beyond what it works on. Default 1 ms.
    pub prefetch_window: Duration,
    /// How long a worker may take from one result to the next before the jobs sent ahead to it, and not started, go to
    /// other workers; at least 1 ms. Default 50 ms.
    pub recall_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            heartbeat: limits::DEFAULT_HEARTBEAT,
            misses: limits::DEFAULT_MISSES,
            max_body: limits::DEFAULT_MAX_BODY,
            max_queue_jobs: 100_000,
            max_queue_bytes: 256 * 1024 * 1024,
            max_workers: 4096,
            max_prefetch: limits::DEFAULT_MAX_PREFETCH,
            prefetch_window: Duration::from_millis(1),
            recall_after: Duration::from_millis(50),
        }
    }
}

impl Config {
    /// The settings with those changed that the protocol or the core cannot work with.
    pub(super) fn within_limits(self) -> Self {
        Self {
            max_prefetch: self.max_prefetch.min(limits::DEFAULT_MAX_PREFETCH),
            heartbeat: self.heartbeat.max(Duration::from_millis(1)),
            misses: self.misses.max(2),
            recall_after: self.recall_after.max(Duration::from_millis(1)),
            ..self
        }
    }

    /// How many jobs may be sent ahead to a worker: as many as it does within the window, by its own measurements.
    pub(super) fn credit(&self, worker: &Worker) -> usize {
        let Some(service_time) = worker.service_time.get() else {
            return 0;
        };
        if worker.stalled {
            return 0;
        }
        let fit = self.prefetch_window.as_nanos() / service_time.as_nanos().max(1);
        let per_slot =
            usize::from(self.max_prefetch).min(usize::try_from(fit).unwrap_or(usize::MAX));
        per_slot * worker.slots()
    }
}
