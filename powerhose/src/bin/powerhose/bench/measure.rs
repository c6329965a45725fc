use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use powerhose::{Bytes, ExecuteError, JobRunner};
use serde::Serialize;
use sysexits::ExitCode;
use tokio::task::JoinSet;

use crate::failure::Failure;

/// The share of the jobs that is done before measuring, to warm up.
const WARM_UP: u32 = 10;

/// How long jobs took.
#[derive(Serialize)]
pub(super) struct Figures {
    pub(super) jobs: u32,
    pub(super) mean_us: f64,
    pub(super) p50_us: f64,
    pub(super) p90_us: f64,
    pub(super) p99_us: f64,
    pub(super) jobs_per_second: f64,
}

impl Figures {
    fn new(times: &Histogram<u64>, elapsed: Duration) -> Self {
        let us = |nanoseconds: u64| nanoseconds as f64 / 1e3;
        Self {
            jobs: u32::try_from(times.len()).unwrap_or(u32::MAX),
            mean_us: times.mean() / 1e3,
            p50_us: us(times.value_at_quantile(0.5)),
            p90_us: us(times.value_at_quantile(0.9)),
            p99_us: us(times.value_at_quantile(0.99)),
            jobs_per_second: times.len() as f64 / elapsed.as_secs_f64(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch")]
fn now() -> Instant {
    Instant::now()
}

fn histogram() -> Histogram<u64> {
    // Three digits always work.
    let mut times = Histogram::new(3).unwrap_or_else(|error| unreachable!("{error}"));
    times.auto(true);
    times
}

fn bar(jobs: u32, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(u64::from(jobs));
    if let Ok(style) = ProgressStyle::with_template("{msg:16} {bar:40} {pos}/{len} {eta} left") {
        bar.set_style(style);
    }
    bar.with_message(what.to_owned())
}

/// Times calls, one after the other.
pub(super) fn direct(
    jobs: u32,
    what: &str,
    mut call: impl FnMut() -> Result<(), Failure>,
) -> Result<Figures, Failure> {
    for _ in 0..jobs.div_ceil(WARM_UP) {
        call()?;
    }
    let bar = bar(jobs, what);
    let mut times = histogram();
    let begun = now();
    for _ in 0..jobs {
        let started = now();
        call()?;
        record(&mut times, started);
        bar.inc(1);
    }
    let figures = Figures::new(&times, begun.elapsed());
    bar.finish_and_clear();
    Ok(figures)
}

/// Times jobs, one after the other.
pub(super) async fn ask(
    runner: &JobRunner,
    job: &Bytes,
    jobs: u32,
    timeout: Duration,
    what: &str,
) -> Result<Figures, Failure> {
    ask_many(runner, job, jobs, timeout, 1, what).await
}

/// Times jobs, of which `at_once` are under way.
pub(super) async fn ask_many(
    runner: &JobRunner,
    job: &Bytes,
    jobs: u32,
    timeout: Duration,
    at_once: usize,
    what: &str,
) -> Result<Figures, Failure> {
    run(
        runner,
        job,
        jobs.div_ceil(WARM_UP),
        timeout,
        at_once,
        &ProgressBar::hidden(),
    )
    .await?;
    let bar = bar(jobs, what);
    let begun = now();
    let times = run(runner, job, jobs, timeout, at_once, &bar).await?;
    let figures = Figures::new(&times, begun.elapsed());
    bar.finish_and_clear();
    Ok(figures)
}

async fn run(
    runner: &JobRunner,
    job: &Bytes,
    jobs: u32,
    timeout: Duration,
    at_once: usize,
    bar: &ProgressBar,
) -> Result<Histogram<u64>, Failure> {
    let left = Arc::new(AtomicU32::new(jobs));
    let mut callers = JoinSet::new();
    for _ in 0..at_once {
        let (runner, job, left, bar) =
            (runner.clone(), job.clone(), Arc::clone(&left), bar.clone());
        callers.spawn(async move {
            let mut times = histogram();
            let take = |left: u32| left.checked_sub(1);
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
            {
                let started = now();
                runner.job(job.clone()).timeout(timeout).execute().await?;
                record(&mut times, started);
                bar.inc(1);
            }
            Ok::<_, ExecuteError>(times)
        });
    }
    let mut times = histogram();
    while let Some(caller) = callers.join_next().await {
        let failed =
            |why: String| Failure::new(ExitCode::Unavailable, format!("a job failed: {why}"));
        let part = caller.map_err(|error| failed(error.to_string()))?;
        let part = part.map_err(|error| failed(error.to_string()))?;
        (times.add(part)).map_err(|error| failed(error.to_string()))?;
    }
    Ok(times)
}

fn record(times: &mut Histogram<u64>, started: Instant) {
    let nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    // It grows to whatever comes.
    let _ = times.record(nanoseconds);
}
