//! A worker that squares numbers, given and returned as decimal text.
//!
//! `cargo run -p powerhose --example square -- ipc:///path/of/the/masters/socket`

use std::process::ExitCode;

use powerhose::{Bytes, Job, JobError, Worker};

fn square(job: Job) -> Result<Bytes, JobError> {
    let text = job.into_body();
    let number: u64 = std::str::from_utf8(&text)?.parse()?;
    let square = (number.checked_mul(number)).ok_or(JobError::new("the square is too large"))?;
    Ok(square.to_string().into())
}

fn main() -> ExitCode {
    let Some(endpoint) = std::env::args().nth(1) else {
        eprintln!("usage: square ENDPOINT");
        return ExitCode::from(64);
    };
    let worker = Worker::builder().connect(endpoint).service("square");
    match worker.handler(square).run() {
        Ok(exit) => {
            eprintln!("the worker left: {exit:?}");
            exit.into()
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.code())
        }
    }
}
