//! The load: lanes, each with one job after the other. They come in waves: now everybody hurries, so that queues and slots are
//! full, now everybody takes his time.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use powerhose::{ExecuteError, Started};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

use super::super::journal::{Entry, Outcome};
use super::super::payload::{JobName, Order, checksum};
use super::super::worker::STEADY;
use super::Shared;

/// The most jobs under way at the same time.
pub const IN_FLIGHT: u32 = 256;

/// How long an attempt may take. Workers that never answer are survived by it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(250);

const TIMEOUT: Duration = Duration::from_secs(10);

/// How often a wave comes, the first one at the beginning, and how long it lasts.
pub const WAVE_EVERY: Duration = Duration::from_secs(1);
/// See [`WAVE_EVERY`].
pub const WAVE: Duration = Duration::from_millis(250);

/// How long a lane rests between two jobs when there is no wave.
const REST: Range<Duration> = Duration::ZERO..Duration::from_millis(100);

/// What is asked of the runner for one job.
#[derive(Debug)]
struct Plan {
    work: Duration,
    filler: usize,
    service: &'static str,
    timeout: Duration,
    retries: u8,
    at_most_once: bool,
    /// When the caller goes away, if it does.
    patience: Option<Duration>,
}

impl Plan {
    fn draw(random: &mut StdRng) -> Self {
        let is_large = random.random_ratio(1, 500);
        let is_hasty = random.random_ratio(1, 1000);
        let goes_away = random.random_ratio(1, 50);
        Self {
            work: if random.random_ratio(1, 10) {
                Duration::from_millis(5)
            } else {
                Duration::ZERO
            },
            filler: random.random_range(if is_large { 1_000..100_000 } else { 8..200 }),
            service: if random.random_ratio(1, 10) {
                STEADY
            } else {
                ""
            },
            timeout: if is_hasty {
                Duration::from_micros(random.random_range(0..5_000))
            } else {
                TIMEOUT
            },
            retries: if random.random_ratio(1, 100) { 1 } else { 2 },
            at_most_once: random.random_ratio(1, 50),
            patience: goes_away.then(|| Duration::from_micros(random.random_range(0..10_000))),
        }
    }

    fn attempts(&self) -> u8 {
        if self.at_most_once {
            1
        } else {
            self.retries + 1
        }
    }
}

/// Runs all lanes until it is over and every job has its outcome.
pub(super) async fn run(shared: Arc<Shared>) -> io::Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let mut lanes = JoinSet::new();
    for lane in 0..IN_FLIGHT {
        lanes.spawn(run_lane(Arc::clone(&shared), Arc::clone(&next), lane));
    }
    while let Some(ended) = lanes.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

async fn run_lane(shared: Arc<Shared>, next: Arc<AtomicU64>, lane: u32) -> io::Result<()> {
    let born = Instant::now();
    let life = shared.settings.life;
    let mut random = StdRng::seed_from_u64(shared.settings.seed ^ u64::from(lane) << 32);
    while !shared.is_over() {
        let plan = Plan::draw(&mut random);
        let job = next.fetch_add(1, Ordering::Relaxed);
        let order = Order {
            name: JobName { life, job },
            work: plan.work,
        };
        let payload = order.payload(plan.filler, &mut random);
        shared.journal.write(&Entry::Submitted {
            job,
            attempts: plan.attempts(),
        })?;
        let began = Instant::now();
        let outcome = execute(&shared, &plan, payload).await;
        shared.journal.write(&Entry::Ended {
            job,
            outcome,
            waited: began.elapsed(),
        })?;
        if !is_wave(born.elapsed()) {
            tokio::time::sleep(random.random_range(REST)).await;
        }
    }
    Ok(())
}

fn is_wave(elapsed: Duration) -> bool {
    elapsed.as_nanos() % WAVE_EVERY.as_nanos() < WAVE.as_nanos()
}

async fn execute(shared: &Shared, plan: &Plan, payload: Bytes) -> Outcome {
    let right = checksum(&payload);
    let job = shared
        .runner
        .job(payload)
        .service(plan.service)
        .timeout(plan.timeout)
        .attempt_timeout(ATTEMPT_TIMEOUT)
        .retries(plan.retries);
    let job = if plan.at_most_once {
        job.at_most_once()
    } else {
        job
    };
    let result = match plan.patience {
        None => job.execute().await,
        Some(patience) => match tokio::time::timeout(patience, job.execute()).await {
            Ok(result) => result,
            Err(_) => return Outcome::Cancelled,
        },
    };
    match result {
        Ok(result) if result == right => Outcome::Ok,
        Ok(_) => Outcome::Wrong,
        Err(error) => failed(&error),
    }
}

fn failed(error: &ExecuteError) -> Outcome {
    Outcome::Failed {
        code: error.code().to_owned(),
        not_started: error.started() == Started::No,
    }
}
