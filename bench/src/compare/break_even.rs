//! From which size on it is worth to hand a job over: a pool of two workers beside the same work done in the handlers of the service.
//!
//! The service is what many are: one thread that runs all handlers, kept busy by more requests than it can serve. Work that is done
//! there has one core; what is handed over has those of the workers, less what handing over costs.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use powerhose::{Bytes, JobError, JobRunner, Worker};
use serde::Serialize;

use super::campaign::Effort;
use super::{Error, Ground, children, load};
use crate::spread::Spread;

pub(super) const ROLE: &str = "break-even";

const WORKERS: usize = 2;

/// Requests under way.
const REQUESTS: usize = 64;

/// What jobs take, in microseconds, roughly in steps of two.
const SIZES_US: [u64; 7] = [5, 10, 20, 50, 100, 200, 500];

/// One size of job.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// What the job takes, in microseconds of CPU.
    pub job_us: u64,
    /// Jobs per second done in the service's handlers.
    pub inline: Spread,
    /// Jobs per second handed to the workers.
    pub handed_over: Spread,
}

/// The points, and the smallest job from which on handing over was always faster.
#[derive(Debug, Clone, Serialize)]
pub struct BreakEven {
    /// By size.
    pub points: Vec<Point>,
    /// In microseconds; `None` if the largest one was still faster inline.
    pub smallest_us: Option<u64>,
}

impl fmt::Display for BreakEven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| job, µs | inline, jobs/s | two workers, jobs/s |")?;
        writeln!(f, "|---|---|---|")?;
        for point in &self.points {
            let Point {
                job_us,
                inline,
                handed_over,
            } = point;
            writeln!(f, "| {job_us} | {inline:.0} | {handed_over:.0} |")?;
        }
        Ok(())
    }
}

/// How often [`run`] says what it does.
pub fn steps(effort: Effort) -> usize {
    SIZES_US.len() * (1 + effort.rounds)
}

/// Measures, in interleaved rounds. `said` is told what is being done.
///
/// # Errors
/// When something does not start, or a job fails.
pub fn run(effort: Effort, mut said: impl FnMut(&str)) -> Result<BreakEven, Error> {
    let directory = tempfile::Builder::new().prefix("compare").tempdir()?;
    let endpoint = format!("ipc://{}/jobs", directory.path().display());
    let ground = Ground {
        directory: directory.path(),
        client_threads: 1,
    };
    let executor = load::executor(&ground)?;
    let runner = JobRunner::bind(&endpoint)?;
    let _workers: Vec<_> = (0..WORKERS)
        .map(|_| children::start(ROLE, &endpoint))
        .collect::<Result<_, _>>()?;
    executor.block_on(runner.wait_for_workers(WORKERS, Duration::from_secs(20)))?;
    let rounds_per_us = calibrate();

    let mut rates = vec![(Vec::new(), Vec::new()); SIZES_US.len()];
    for round in 0..=effort.rounds {
        for (size, (inline, handed_over)) in SIZES_US.iter().zip(&mut rates) {
            said(&format!("break-even: round {round}, jobs of {size} µs"));
            let work = (*size as f64 * rounds_per_us) as u64;
            let time = effort.turn / 4;
            let here = load::callers(&executor, REQUESTS, time, |_| {
                move || async move {
                    burn(work);
                    tokio::task::yield_now().await;
                    Ok(())
                }
            })?;
            let there = load::callers(&executor, REQUESTS, time, |_| {
                let runner = runner.clone();
                move || {
                    let runner = runner.clone();
                    async move {
                        let body = Bytes::copy_from_slice(&work.to_le_bytes());
                        runner.execute(body).await?;
                        Ok(())
                    }
                }
            })?;
            // The first round warms up.
            if round > 0 {
                inline.push(here.rate());
                handed_over.push(there.rate());
            }
        }
    }
    let spread = |rates: Vec<f64>| Spread::of(rates.into_iter()).ok_or("no rounds were asked for");
    let points = (SIZES_US.into_iter().zip(rates))
        .map(|(job_us, (inline, handed_over))| {
            Ok(Point {
                job_us,
                inline: spread(inline)?,
                handed_over: spread(handed_over)?,
            })
        })
        .collect::<Result<Vec<_>, &str>>()?;
    let wins = |point: &&Point| point.handed_over.median > point.inline.median;
    let smallest_us = (points.iter().rev().take_while(wins)).last();
    let smallest_us = smallest_us.map(|point| point.job_us);
    Ok(BreakEven {
        points,
        smallest_us,
    })
}

/// What a worker does.
pub(super) fn work(endpoint: &str) -> Result<(), Error> {
    Worker::builder()
        .connect(endpoint)
        .handler(|job| {
            let work = job.body()[..].try_into();
            burn(u64::from_le_bytes(
                work.map_err(|_| JobError::new("no number"))?,
            ));
            Ok(Bytes::new())
        })
        .run()?;
    Ok(())
}

/// Keeps a core busy: a count, not a time, for what waits for its core has not worked.
fn burn(rounds: u64) {
    let mut state = 1_u64;
    for _ in 0..rounds {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state = black_box(state);
    }
}

/// Rounds of [`burn`] in a microsecond: the most of several tries, since others may have the core at times.
fn calibrate() -> f64 {
    const ROUNDS: u64 = 100_000;
    (0..50)
        .map(|_| {
            let start = Instant::now();
            burn(ROUNDS);
            ROUNDS as f64 / (start.elapsed().as_secs_f64() * 1e6)
        })
        .fold(1.0, f64::max)
}
