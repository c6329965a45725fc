//! What the core counts and measures. Reading it stops nothing.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::jobs::ServiceName;
use crate::wire::ResultCode;

/// Counters since the master started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// Jobs handed in, refused ones included.
    pub submitted: u64,
    /// Jobs that ended with a result.
    pub completed: u64,
    /// Jobs that ended with an error.
    pub failed: u64,
    /// Jobs refused as `Overloaded`.
    pub overloaded: u64,
    /// Jobs whose callers went away first.
    pub cancelled: u64,
    /// Jobs that were out of time before they were sent to a worker.
    pub expired_at_master: u64,
    /// Jobs that were out of time when a worker was about to start them.
    pub expired_at_worker: u64,
    /// Attempts sent to workers.
    pub dispatched: u64,
    /// Attempts after a job's first one.
    pub redispatched: u64,
    /// Attempts that took longer than the attempt timeout.
    pub attempts_timed_out: u64,
    /// Jobs taken back from workers that were too slow for what had been sent ahead.
    pub recalled: u64,
    /// Jobs that workers handed back, not started.
    pub returned: u64,
    /// Jobs that failed as poison.
    pub poisoned: u64,
    /// Results that came after the attempt had been given up.
    pub late_results: u64,
    /// Results that fit no attempt known, such as the second one of a pair.
    pub stale_results: u64,
    /// Messages that named an unknown session.
    pub unknown_sessions: u64,
    /// Messages that were none.
    pub malformed: u64,
    /// Those of them that are of another version of the protocol.
    pub other_versions: u64,
    /// Messages of peers that chose their routing id themselves. The driver refuses them.
    pub foreign: u64,
    /// Connections over tcp that were refused: no CURVE, a wrong key of the master's, a key that is not on the list. The driver counts
    /// them.
    pub refused: u64,
    /// Registrations accepted, new sessions and resumed ones.
    pub registered: u64,
    /// Sessions that were resumed over another connection.
    pub resumed: u64,
    /// Registrations refused.
    pub rejected: u64,
    /// Those of them that came too often.
    pub throttled: u64,
    /// Workers whose connection was lost.
    pub workers_lost: u64,
    /// Idle workers that were silent for too long.
    pub workers_silent: u64,
    /// Workers that left in order.
    pub workers_left: u64,
    /// Workers whose mail piled up beyond the bound.
    pub workers_overflowed: u64,
    /// Times at which the whole process had been stopped for a while.
    pub pauses: u64,
}

/// Where the time of jobs goes.
#[derive(Debug, Clone)]
pub struct Latencies {
    queue: Histogram<u32>,
    transit: Histogram<u32>,
    service: Histogram<u32>,
}

impl Default for Latencies {
    fn default() -> Self {
        // One significant digit keeps a histogram at one or two KiB; there are three for each worker.
        let histogram = || {
            let mut histogram = Histogram::new(1)
                .unwrap_or_else(|error| unreachable!("1 digit is within 0..=5: {error}"));
            histogram.auto(true);
            histogram
        };
        Self {
            queue: histogram(),
            transit: histogram(),
            service: histogram(),
        }
    }
}

impl Latencies {
    pub(super) fn record_queue(&mut self, waited: Duration) {
        record(&mut self.queue, waited);
    }

    pub(super) fn record_result(&mut self, round_trip: Duration, service: Duration) {
        record(&mut self.service, service);
        record(&mut self.transit, round_trip.saturating_sub(service));
    }

    /// How long jobs waited for a worker before their first attempt, in microseconds.
    pub fn queue(&self) -> &Histogram<u32> {
        &self.queue
    }

    /// How long jobs and results were on the way, waiting at the worker included, in microseconds.
    pub fn transit(&self) -> &Histogram<u32> {
        &self.transit
    }

    /// How long handlers ran, as workers measured it, in microseconds.
    pub fn service(&self) -> &Histogram<u32> {
        &self.service
    }
}

/// Nothing that takes longer, in seconds, is told apart.
const LONGEST: u64 = 24 * 60 * 60;

fn record(histogram: &mut Histogram<u32>, duration: Duration) {
    // `as_micros` counts in 128 bits.
    let micros = duration.as_secs().min(LONGEST) * 1_000_000 + u64::from(duration.subsec_micros());
    // It grows as needed, so every value fits. `saturating_record` would squeeze all of them into its first size.
    let _ = histogram.record(micros);
}

/// A copy of everything counted and measured.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Stats {
    /// The counters.
    pub counters: Counters,
    /// Jobs waiting for a worker.
    pub waiting: usize,
    /// Their payloads in bytes.
    pub waiting_bytes: usize,
    /// Jobs waiting or at a worker.
    pub jobs: usize,
    /// Workers that hold a session.
    pub workers: usize,
    /// By service.
    pub services: Vec<ServiceStats>,
}

/// What is known of one service.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServiceStats {
    /// Its name; the default service has the empty one.
    pub name: ServiceName,
    /// Workers that offer it.
    pub workers: usize,
    /// The sum of their slots.
    pub slots: usize,
    /// Jobs waiting for a worker.
    pub waiting: usize,
    /// Jobs waiting or at a worker.
    pub jobs: usize,
    /// Jobs that ended with a result.
    pub completed: u64,
    /// Jobs that ended with an error.
    pub failed: u64,
    /// The mean time that handlers took of late.
    pub mean: Option<Duration>,
    /// Where the time went.
    pub latencies: Latencies,
}

/// What the master knows of one worker.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkerSnapshot {
    /// Its session.
    pub session: u64,
    /// Its process id, as it says.
    pub pid: u32,
    /// Its host, as it says.
    pub host: String,
    /// Its implementation, as it says.
    pub implementation: String,
    /// The services that it offers.
    pub services: Vec<String>,
    /// How many jobs it works on at the same time.
    pub slots: u16,
    /// Attempts that it has been sent and has not answered.
    pub in_flight: usize,
    /// Its state.
    pub state: WorkerState,
    /// How long ago it registered.
    pub age: Duration,
    /// How long ago it was last heard of.
    pub silence: Duration,
    /// Attempts that ended with a result.
    pub completed: u64,
    /// Attempts that ended otherwise.
    pub failed: u64,
    /// Where the time of its attempts went.
    pub latencies: Latencies,
}

/// The states of protocol.md's table for the master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkerState {
    /// It takes work.
    Active,
    /// It has not answered an attempt in time and is set aside until it does.
    Laggy,
    /// It finishes what it has and leaves.
    Draining,
}

/// Whether an attempt that ended with this code had the handler run.
pub(super) fn ran(code: ResultCode) -> bool {
    match code {
        ResultCode::Ok
        | ResultCode::Failed
        | ResultCode::Panicked
        | ResultCode::TooLarge
        | ResultCode::Overrun => true,
        ResultCode::Expired
        | ResultCode::Returned
        | ResultCode::Cancelled
        | ResultCode::UnknownService => false,
    }
}
