use std::time::Duration;

use super::Program;
use super::failure::ProgramError;
use super::pool::Pool;
use super::starter::find;
use crate::wire::limits::{DEFAULT_MAX_BODY, MAX_SLOTS};

/// How a program gets its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// One process does job after job: each comes, and is answered, behind its length.
    #[default]
    Stream,
    /// A process for each job: the job is all of its standard input, its standard output is the answer, an exit code other
    /// than 0 a failure. Any filter of the shell will do, at the cost of starting it each time.
    PerJob,
}

/// Settings of a [`Program`]; made by [`Program::builder`].
#[derive(Debug, Clone)]
#[must_use = "nothing runs before `start`"]
pub struct ProgramBuilder {
    pub(super) command: Vec<String>,
    pub(super) mode: Mode,
    pub(super) job_timeout: Option<Duration>,
    pub(super) max_answer: usize,
}

impl ProgramBuilder {
    pub(super) fn new(command: Vec<String>) -> Self {
        Self {
            command,
            mode: Mode::default(),
            job_timeout: None,
            max_answer: DEFAULT_MAX_BODY,
        }
    }

    /// How the program gets its jobs. Default: [`Mode::Stream`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How long a job may take before the process that does it is killed, with its group. Default: as long as the job has.
    pub fn job_timeout(mut self, timeout: Duration) -> Self {
        self.job_timeout = Some(timeout);
        self
    }

    /// The largest answer in bytes. Default 16 MiB. A process that announces or sends more is killed.
    pub fn max_answer(mut self, bytes: usize) -> Self {
        self.max_answer = bytes;
        self
    }

    /// Starts as many processes as there are jobs at the same time; in [`Mode::PerJob`] none yet.
    ///
    /// # Errors
    /// [`ProgramError`], which names the program:
    ///
    /// ```
    /// use powerhose::exec::Program;
    ///
    /// let error = Program::builder(["/no/such/program"]).start(1).unwrap_err();
    /// assert!(error.to_string().starts_with(r#"cannot start "/no/such/program": "#));
    /// ```
    pub fn start(self, slots: u16) -> Result<Program, ProgramError> {
        let program = self.command.first().ok_or(ProgramError::Empty)?.clone();
        (find(&program).and_then(|()| Pool::start(self, slots.clamp(1, MAX_SLOTS))))
            .map(|pool| Program { pool: pool.into() })
            .map_err(|source| ProgramError::NotStarted { program, source })
    }
}
