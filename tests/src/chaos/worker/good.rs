//! Workers of the library, as anybody would write them.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use powerhose::{Job, JobError, Worker, WorkerBuilder};
use rand::RngExt;

use super::super::ground::Ground;
use super::super::journal::{Execution, Journal};
use super::super::payload::{Order, checksum};
use super::STEADY;

const SLOTS: u16 = 2;

/// How often a handler that takes long looks whether it still has to.
const SLICE: Duration = Duration::from_millis(1);

/// A worker of the default service.
pub(super) fn worker(ground: &Ground) -> WorkerBuilder {
    Worker::builder()
        .connect(ground.endpoint())
        .service("")
        .slots(SLOTS)
}

/// A worker of both services.
pub(super) fn steady(ground: &Ground) -> WorkerBuilder {
    worker(ground).service(STEADY)
}

/// When a worker that aborts does so.
pub(super) fn end() -> Instant {
    Instant::now() + Duration::from_millis(rand::rng().random_range(500..1500))
}

/// Works until it is told to leave, or aborts with the first job after `end`.
pub(super) fn run(
    worker: WorkerBuilder,
    journal: Journal,
    end: Option<Instant>,
) -> Result<u8, Box<dyn Error>> {
    let exit = worker
        .handler(move |job| handle(&job, &journal, end))
        .run()?;
    Ok(exit.code())
}

fn handle(job: &Job, journal: &Journal, end: Option<Instant>) -> Result<Bytes, JobError> {
    let order = Order::read(job.body()).ok_or(JobError::new("not a payload of this run"))?;
    journal.write(&Execution {
        name: order.name,
        attempt: job.attempt(),
    })?;
    if end.is_some_and(|end| Instant::now() >= end) {
        std::process::abort();
    }
    let until = Instant::now() + order.work;
    while Instant::now() < until {
        if job.is_cancelled() {
            return Err(JobError::cancelled());
        }
        thread::sleep(SLICE);
    }
    Ok(checksum(job.body()))
}
