//! The echo worker: answers each job with its own body.

#![forbid(unsafe_code)]

use std::{process::ExitCode, thread, time::Duration};

use clap::Parser;
use powerhose::{Bytes, Job, JobError};
use workers::process;

/// How often a job that takes its time looks whether it has been cancelled.
const CANCEL_CHECK: Duration = Duration::from_millis(10);

/// Answer each job with its own body, to try a master out
///
/// SIGTERM and SIGINT let it finish the jobs at hand.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    options: process::Options,

    /// Offer this service; may be given several times [default: the default service, whose name is empty]
    #[arg(long = "service", value_name = "NAME")]
    services: Vec<String>,

    /// How long each job takes, with a unit, e.g. 250ms
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    delay: Duration,
}

fn main() -> ExitCode {
    let cli: Cli = match process::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let delay = cli.delay;
    process::run(&cli.options, &cli.services, move |job| echo(job, delay))
}

fn echo(job: Job, delay: Duration) -> Result<Bytes, JobError> {
    let mut left = delay;
    while !left.is_zero() {
        if job.is_cancelled() {
            return Err(JobError::cancelled());
        }
        let nap = left.min(CANCEL_CHECK);
        thread::sleep(nap);
        left -= nap;
    }
    Ok(job.into_body())
}
