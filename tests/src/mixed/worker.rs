//! The Rust worker of a run. Its handler is that of `worker.py` and `worker.cpp`.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use powerhose::{Job, JobError, Worker};

use super::payload;

/// What a worker process is told, in this order and in any language.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Where the master listens.
    endpoint: String,
    /// The file that gets a line `JOB ATTEMPT` before each job.
    executions: PathBuf,
    /// How long a job takes, in microseconds.
    work_us: u64,
}

/// Is a worker until it is told to end. Returns the code to exit with.
///
/// # Errors
/// Why it could not work.
pub fn run(arguments: &Arguments) -> Result<u8, Box<dyn Error>> {
    let executions = append(&arguments.executions)?;
    let work = Duration::from_micros(arguments.work_us);
    let worker = Worker::builder().connect(&arguments.endpoint);
    let exit = (worker.handler(move |job| handle(&job, &executions, work))).run()?;
    Ok(exit.code())
}

fn append(path: &Path) -> std::io::Result<File> {
    File::options().append(true).create(true).open(path)
}

fn handle(job: &Job, mut executions: &File, work: Duration) -> Result<Bytes, JobError> {
    let number = payload::number(job.body());
    let number = number.ok_or(JobError::new("not a payload of this run"))?;
    // At once and in one piece: it outlives a kill.
    executions.write_all(format!("{number} {}\n", job.attempt()).as_bytes())?;
    thread::sleep(work);
    Ok(payload::answer(job.body()))
}
