use std::io;

use bytes::Bytes;

use crate::ExitCause;

/// Why a program cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The command has no words.
    #[error("the command is empty: name a program")]
    Empty,
    /// The system does not start it.
    #[error("cannot start {program:?}: {source}")]
    NotStarted {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It says that it failed.
    #[error("the program failed: {}", String::from_utf8_lossy(.message))]
    Failed {
        /// What it says.
        message: Bytes,
    },
    /// It ended instead of answering.
    #[error("the program ended over the job: {cause}")]
    Died {
        /// How.
        cause: ExitCause,
    },
    /// What it wrote is no answer.
    #[error("the program wrote what is no answer: {why}")]
    Garbled {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The answer is larger than the limit.
    #[error(
        "the answer has {len} bytes or more, above the limit of {limit}: does the program print text to its standard output?"
    )]
    TooLarge {
        /// Its length, as far as it is known.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The job took longer than the program's time limit; it was killed.
    #[error("the job took longer than the time limit")]
    Overrun,
    /// Nobody waits for the answer any more; the program was killed.
    #[error("the job's time is over")]
    GivenUp,
    /// The program could not be started.
    #[error("the program cannot be started: {source}")]
    NotStarted {
        /// What the system said.
        source: io::Error,
    },
    /// The system failed to move bytes to or from it.
    #[error("cannot talk to the program: {source}")]
    Pipe {
        /// What the system said.
        source: io::Error,
    },
}
