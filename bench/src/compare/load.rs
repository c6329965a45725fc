//! The callers: tasks that each have one job under way, or a thread that keeps a window of them.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::runtime::{self, Runtime};

use super::{Error, Ground, Sample};

/// How often a window looks at the clock.
const JOBS_PER_LOOK: u64 = 64;

/// How often one of many callers does. Latencies are of interest with one job in flight; to take them costs as much as the fastest
/// systems do.
const JOBS_PER_LOOK_OF_CALLER: u64 = 8;

/// The executor of the callers.
pub(super) fn executor(ground: &Ground<'_>) -> Result<Runtime, Error> {
    let runtime = match ground.client_threads {
        0 | 1 => runtime::Builder::new_current_thread().enable_all().build(),
        threads => runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build(),
    };
    Ok(runtime?)
}

/// Has `in_flight` tasks make one call after the other until the time is over. `caller` gives each task its own way to call.
pub(super) fn callers<C, F>(
    executor: &Runtime,
    in_flight: usize,
    time: Duration,
    mut caller: impl FnMut(usize) -> C,
) -> Result<Sample, Error>
where
    C: FnMut() -> F + Send + 'static,
    F: Future<Output = Result<(), Error>> + Send,
{
    executor.block_on(async {
        let start = Instant::now();
        let tasks: Vec<_> = (0..in_flight)
            .map(|number| {
                let mut call = caller(number);
                tokio::spawn(async move {
                    let mut sample = Sample::new();
                    loop {
                        if in_flight == 1 || sample.jobs.is_multiple_of(JOBS_PER_LOOK_OF_CALLER) {
                            let since = Instant::now();
                            if since - start >= time {
                                sample.elapsed = since - start;
                                return Ok::<_, Error>(sample);
                            }
                            if in_flight == 1 {
                                call().await?;
                                sample.count(since);
                                continue;
                            }
                        }
                        call().await?;
                        sample.jobs += 1;
                    }
                })
            })
            .collect();
        let mut sum = Sample::new();
        for task in tasks {
            sum.merge(&task.await??);
        }
        Ok(sum)
    })
}

/// Sends `in_flight` jobs, then one for each that comes back, until the time is over; waits for the last ones.
pub(super) fn window<S>(
    socket: &mut S,
    in_flight: usize,
    time: Duration,
    mut send: impl FnMut(&mut S) -> Result<(), Error>,
    mut receive: impl FnMut(&mut S) -> Result<(), Error>,
) -> Result<Sample, Error> {
    let mut sample = Sample::new();
    let start = Instant::now();
    if in_flight == 1 {
        while start.elapsed() < time {
            let since = Instant::now();
            send(socket)?;
            receive(socket)?;
            sample.count(since);
        }
    } else {
        for _ in 0..in_flight {
            send(socket)?;
        }
        while !sample.jobs.is_multiple_of(JOBS_PER_LOOK) || start.elapsed() < time {
            receive(socket)?;
            sample.jobs += 1;
            send(socket)?;
        }
        for _ in 0..in_flight {
            receive(socket)?;
        }
        sample.jobs += in_flight as u64;
    }
    sample.elapsed = start.elapsed();
    Ok(sample)
}
