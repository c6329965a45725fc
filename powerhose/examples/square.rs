//! A worker that squares whole numbers, given and returned as decimal text. The samples in Python and C++ (`workers/python/samples`,
//! `workers/cpp/samples`) answer every input as this one does.
//!
//! `cargo run -p powerhose --example square -- ipc:///path/of/the/masters/socket`

use std::process::ExitCode;

use powerhose::{Bytes, Job, JobError, Worker};

fn square(job: &Job) -> Result<Bytes, JobError> {
    let text = job.body();
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(JobError::new("not a whole number"));
    }
    let number: Option<i64> = str::from_utf8(text)?.parse().ok();
    let square = number.and_then(|number| number.checked_mul(number));
    let square = square.ok_or(JobError::new("the square is too large"))?;
    Ok(square.to_string().into())
}

fn main() -> ExitCode {
    let Some(endpoint) = std::env::args().nth(1) else {
        eprintln!("usage: square ENDPOINT");
        return ExitCode::from(64);
    };
    let worker = Worker::builder().connect(endpoint).service("square");
    match worker.handler(|job: Job| square(&job)).run() {
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
