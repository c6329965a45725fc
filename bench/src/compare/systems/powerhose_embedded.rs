//! This project, with the master inside of the client: `JobRunner`.

use std::time::Duration;

use powerhose::{Bytes, JobRunner, Worker, Workers};
use tokio::runtime::Runtime;

use super::System;
use crate::compare::{Error, Ground, PAYLOAD, Running, Sample, children, load};

const NAME: &str = "powerhose-embedded";

pub(super) const SYSTEM: System = System {
    name: NAME,
    what: "Powerhose, JobRunner",
    needs: None,
    start,
    child: Some(work),
};

struct Client {
    worker: Workers,
    executor: Runtime,
    runner: JobRunner,
}

fn start(ground: &Ground<'_>) -> Result<Box<dyn Running>, Error> {
    let endpoint = format!("ipc://{}/jobs", ground.directory.display());
    let executor = load::executor(ground)?;
    let runner = JobRunner::bind(&endpoint)?;
    let worker = children::start(NAME, &endpoint)?;
    executor.block_on(runner.wait_for_workers(1, Duration::from_secs(20)))?;
    Ok(Box::new(Client {
        executor,
        runner,
        worker,
    }))
}

pub(super) fn work(endpoint: &str) -> Result<(), Error> {
    Worker::builder()
        .connect(endpoint)
        .handler(|job| Ok(job.body().clone()))
        .run()?;
    Ok(())
}

impl Running for Client {
    fn run(&mut self, in_flight: usize, time: Duration) -> Result<Sample, Error> {
        load::callers(&self.executor, in_flight, time, |_| {
            let runner = self.runner.clone();
            move || {
                let runner = runner.clone();
                async move {
                    runner.execute(Bytes::from_static(&PAYLOAD)).await?;
                    Ok(())
                }
            }
        })
    }

    fn processes(&self) -> Vec<u32> {
        self.worker.pids()
    }
}
