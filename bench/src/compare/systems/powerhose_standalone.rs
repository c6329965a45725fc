//! This project, with the master in a process of its own: `Client`, and what `powerhose master` runs.

use std::thread;
use std::time::Duration;

use powerhose::{Bytes, Client as Jobs, StandaloneMaster, Workers};
use tokio::runtime::Runtime;

use super::{System, powerhose_embedded};
use crate::compare::{Error, Ground, PAYLOAD, Running, Sample, children, load};

const NAME: &str = "powerhose-standalone";

pub(super) const SYSTEM: System = System {
    name: NAME,
    what: "Powerhose, standalone master",
    needs: None,
    start,
    child: Some(child),
};

struct Client {
    worker: Workers,
    executor: Runtime,
    jobs: Jobs,
    master: Workers,
}

fn start(ground: &Ground<'_>) -> Result<Box<dyn Running>, Error> {
    let directory = ground.directory.display().to_string();
    let executor = load::executor(ground)?;
    let master = children::start(&format!("{NAME}:master"), &directory)?;
    let worker = children::start(&format!("{NAME}:worker"), &directory)?;
    let jobs = Jobs::connect(frontend(&directory))?;
    // The first job waits for the master, and there for the worker.
    let ready = jobs.job("ready?").timeout(Duration::from_secs(20));
    executor.block_on(ready.execute())?;
    Ok(Box::new(Client {
        executor,
        jobs,
        master,
        worker,
    }))
}

fn frontend(directory: &str) -> String {
    format!("ipc://{directory}/frontend")
}

fn backend(directory: &str) -> String {
    format!("ipc://{directory}/backend")
}

fn child(part_and_directory: &str) -> Result<(), Error> {
    match part_and_directory.split_once(' ') {
        Some(("master", directory)) => {
            let _master = StandaloneMaster::builder()
                .frontend(frontend(directory))
                .backend(backend(directory))
                .start()?;
            // Until it is killed.
            loop {
                thread::park();
            }
        }
        Some(("worker", directory)) => powerhose_embedded::work(&backend(directory)),
        _ => Err("no such part of the standalone system".into()),
    }
}

impl Running for Client {
    fn run(&mut self, in_flight: usize, time: Duration) -> Result<Sample, Error> {
        load::callers(&self.executor, in_flight, time, |_| {
            let jobs = self.jobs.clone();
            move || {
                let jobs = jobs.clone();
                async move {
                    jobs.execute(Bytes::from_static(&PAYLOAD)).await?;
                    Ok(())
                }
            }
        })
    }

    fn processes(&self) -> Vec<u32> {
        [self.master.pids(), self.worker.pids()].concat()
    }
}
