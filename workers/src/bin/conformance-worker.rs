//! The worker that `powerhose conformance` tests this implementation with.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::str;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use powerhose::{Bytes, Job, JobError};
use workers::process;

/// The largest answer to `large N`, in bytes.
const MAX_LARGE: usize = 64 * 1024 * 1024;

/// How often a job that sleeps looks whether it has been cancelled.
const CANCEL_CHECK: Duration = Duration::from_millis(10);

/// Do the jobs by which `powerhose conformance` tests a worker
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    options: process::Options,

    /// Take jobs on a socket of its own, at this path beside the master's
    #[arg(long, value_name = "PATH")]
    own_socket: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli: Cli = match process::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let services = ["conformance".to_owned(), "echo".to_owned()];
    process::run_with(
        &cli.options,
        &services,
        |builder| match cli.own_socket {
            Some(path) => builder.bind(format!("ipc://{}", path.display())),
            None => builder,
        },
        |job| answer(&job),
    )
}

fn answer(job: &Job) -> Result<Bytes, JobError> {
    let body = job.body();
    if job.service() == "echo" {
        return Ok(body.clone());
    }
    let space = body.iter().position(|byte| *byte == b' ');
    let (word, rest) = body.split_at(space.unwrap_or(body.len()));
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    match word {
        b"echo" => Ok(Bytes::copy_from_slice(rest)),
        b"sleep" => sleep(job, Duration::from_millis(number(rest)?)),
        b"fail" => Err(JobError::new(String::from_utf8_lossy(rest).into_owned())),
        b"large" => match usize::try_from(number(rest)?) {
            Ok(len) if len <= MAX_LARGE => Ok(vec![b'x'; len].into()),
            _ => Err(JobError::new("too large to be made")),
        },
        _ => Err(JobError::new("no such job")),
    }
}

fn number(text: &[u8]) -> Result<u64, JobError> {
    let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| JobError::new("not a number"))
}

fn sleep(job: &Job, duration: Duration) -> Result<Bytes, JobError> {
    let until = Instant::now() + duration;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Bytes::from_static(b"slept"));
        }
        if job.is_cancelled() {
            return Err(JobError::cancelled());
        }
        thread::sleep(left.min(CANCEL_CHECK));
    }
}
