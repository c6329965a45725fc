//! Any program as a worker: jobs go to its standard input, answers come from its standard output.
//!
//! A [`Program`] keeps a long-lived process for each job that is done at the same time, or starts one for each job. How jobs and
//! answers are framed is written in `docs/exec-workers.md`. Processes run in groups of their own, which are killed when a job's
//! time is over, and end with this process.

mod builder;
mod call;
mod errors;
mod failure;
mod pool;
mod process;
mod starter;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use self::call::Call;
use self::pool::Pool;
use crate::{Job, JobError};

pub use self::builder::{Mode, ProgramBuilder};
pub use self::failure::{CallError, ProgramError};

/// A program that does jobs. Clones share its processes; when the last one is dropped, they end.
///
/// ```
/// use std::time::Duration;
/// use powerhose::exec::{Mode, Program};
///
/// let upper = Program::builder(["tr", "a-z", "A-Z"]).mode(Mode::PerJob).start(1)?;
/// assert_eq!(upper.call(b"hello", Duration::from_secs(60))?, "HELLO");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Program {
    pool: Arc<Pool>,
}

impl Program {
    /// Describes a program by its name or path and its arguments. No shell is involved.
    pub fn builder<Word: Into<String>>(command: impl IntoIterator<Item = Word>) -> ProgramBuilder {
        ProgramBuilder::new(command.into_iter().map(Into::into).collect())
    }

    /// Does a job of a [`Worker`](crate::Worker), as its handler.
    ///
    /// # Errors
    /// What the program answered if that was a failure; that it died over the job, as [`JobError::panicked`]; that the time limit
    /// ended it, as [`JobError::overrun`].
    pub fn handle(&self, job: &Job) -> Result<Bytes, JobError> {
        let call = Call {
            body: job.body(),
            service: job.service(),
            attempt: job.attempt(),
            timeout: job.remaining(),
            is_cancelled: &|| job.is_cancelled(),
        };
        self.pool.call(&call).map_err(|error| {
            let text = error.to_string();
            match error {
                CallError::Failed { message } => JobError::new(message),
                CallError::Died { .. } | CallError::Garbled { .. } => JobError::panicked(text),
                CallError::Overrun => JobError::overrun(),
                CallError::GivenUp => JobError::cancelled(),
                CallError::TooLarge { .. }
                | CallError::NotStarted { .. }
                | CallError::Pipe { .. } => JobError::new(text),
            }
        })
    }

    /// Does a job without a master and without a worker, to compare.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(&self, body: &[u8], timeout: Duration) -> Result<Bytes, CallError> {
        self.pool.call(&Call {
            body,
            service: "",
            attempt: 1,
            timeout,
            is_cancelled: &|| false,
        })
    }

    /// Ends the processes: closes their input, gives them `grace` to end by themselves, kills what is left. Processes that are at
    /// work are killed at once; later calls fail.
    pub fn close(&self, grace: Duration) {
        self.pool.close(grace);
    }
}
