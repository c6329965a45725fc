//! What one turn of a system gave.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Latencies up to this are told apart; longer ones count as this.
const LONGEST_US: u64 = 60_000_000;

/// The jobs of one turn.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Jobs done.
    pub jobs: u64,
    /// How long they took together.
    pub elapsed: Duration,
    /// How long each took, in nanoseconds; empty with more than one in flight.
    pub latencies: Histogram<u64>,
}

impl Sample {
    /// No jobs yet.
    pub fn new() -> Self {
        let latencies = Histogram::new_with_bounds(100, LONGEST_US * 1000, 3);
        Self {
            jobs: 0,
            elapsed: Duration::ZERO,
            latencies: latencies.expect("these bounds are in order"),
        }
    }

    /// Counts a job that began at `since`.
    pub fn count(&mut self, since: Instant) {
        self.jobs += 1;
        let nanos = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(nanos);
    }

    /// Adds the jobs of another caller.
    pub fn merge(&mut self, other: &Self) {
        self.jobs += other.jobs;
        self.elapsed = self.elapsed.max(other.elapsed);
        (self.latencies.add(&other.latencies)).expect("all samples have the same bounds");
    }

    /// Jobs per second.
    pub fn rate(&self) -> f64 {
        self.jobs as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self::new()
    }
}
