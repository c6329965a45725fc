//! The client: so many jobs in each second, whatever becomes of those before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use powerhose::{Client, ExecuteError};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::chaos::payload::checksum;

/// How often jobs are handed in: as many as are due by then.
const EVERY: Duration = Duration::from_millis(5);

const TIMEOUT: Duration = Duration::from_secs(30);

const PAYLOAD: usize = 100;

/// What became of the jobs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcomes {
    /// Jobs handed in.
    pub submitted: u64,
    /// Jobs with the right result.
    pub ok: u64,
    /// Jobs with another one.
    pub wrong: u64,
    /// Jobs that failed, by the code of the error.
    pub failed: BTreeMap<String, u64>,
    /// How long callers waited, in microseconds.
    pub p50_us: u64,
    /// See `p50_us`.
    pub p99_us: u64,
    /// See `p50_us`.
    pub max_us: u64,
}

/// Hands in jobs for as long, and waits for all of them. Tells how many there were so far.
pub(super) async fn run(
    client: Client,
    rate: u32,
    lasting: Duration,
    submitted: Arc<AtomicU64>,
) -> Outcomes {
    let began = Instant::now();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut jobs = JoinSet::new();
    let mut tally = Tally::default();
    let total = u64::from(rate) * lasting.as_secs();
    let mut number = 0_u64;
    while number < total {
        ticks.tick().await;
        let due = (began.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        while number < due.min(total) {
            jobs.spawn(execute(client.clone(), number));
            number += 1;
        }
        submitted.store(number, Ordering::Relaxed);
        while let Some(ended) = jobs.try_join_next() {
            tally.add(ended);
        }
    }
    while let Some(ended) = jobs.join_next().await {
        tally.add(ended);
    }
    tally.outcomes(number)
}

type Ended = (Result<bool, ExecuteError>, Duration);

async fn execute(client: Client, number: u64) -> Ended {
    let mut payload = vec![0; PAYLOAD];
    payload[..8].copy_from_slice(&number.to_be_bytes());
    let payload = Bytes::from(payload);
    let right = checksum(&payload);
    let began = Instant::now();
    let result = client.job(payload).timeout(TIMEOUT).execute().await;
    (result.map(|result| result == right), began.elapsed())
}

#[derive(Default)]
struct Tally {
    ok: u64,
    wrong: u64,
    failed: BTreeMap<String, u64>,
    waits: Vec<Duration>,
}

impl Tally {
    fn add(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        // A task that panicked is a job without an outcome: the sum will not be right.
        let Ok((result, wait)) = ended else { return };
        self.waits.push(wait);
        match result {
            Ok(true) => self.ok += 1,
            Ok(false) => self.wrong += 1,
            Err(error) => *self.failed.entry(error.code().to_owned()).or_default() += 1,
        }
    }

    fn outcomes(mut self, submitted: u64) -> Outcomes {
        self.waits.sort_unstable();
        let at = |percent: usize| {
            let wait = self
                .waits
                .get((self.waits.len() * percent / 100).min(self.waits.len() - 1));
            wait.map_or(0, |wait| {
                u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)
            })
        };
        Outcomes {
            submitted,
            ok: self.ok,
            wrong: self.wrong,
            p50_us: at(50),
            p99_us: at(99),
            max_us: at(100),
            failed: self.failed,
        }
    }
}
