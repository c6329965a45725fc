//! What the processes of a run write down while it lasts: lines of JSON, each written at once to the end of a file, so that a
//! process that is killed leaves everything it had written and no half line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ground::append;
use super::payload::JobName;

/// What a service writes down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A job is about to be handed in.
    Submitted {
        /// Its number.
        job: u64,
        /// How often it may be started.
        attempts: u8,
    },
    /// A job has its outcome.
    Ended {
        /// Its number.
        job: u64,
        /// How.
        outcome: Outcome,
        /// How long its caller waited.
        waited: Duration,
    },
    /// A worker was killed, and the master noticed it.
    Killed(Detection),
    /// A worker was killed, and the master went on listing it for longer than anyone waits.
    Undetected,
    /// A worker was told to leave, and left.
    Drained,
    /// A worker was told to leave, and stayed.
    Undrained,
    /// A worker was stopped, to be continued or killed later.
    Stopped,
    /// The service is about to stop itself.
    Paused,
}

/// How long the end of a killed worker took, from the signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Detection {
    /// Until the master listed the worker no more.
    pub noticed: Duration,
    /// Until the system had taken the process apart. Its sockets come after its memory, where the system may have to wait for other
    /// processes that map the same libraries: on a busy machine that can take a second, in which nobody can notice anything.
    pub ended: Duration,
}

/// How a job ended, as its caller saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// With the checksum of its payload.
    Ok,
    /// With something else.
    Wrong,
    /// The caller went away first.
    Cancelled,
    /// With an error.
    Failed {
        /// The error's code.
        code: String,
        /// Whether the error says that no handler saw the job.
        not_started: bool,
    },
}

impl Outcome {
    /// A short name, for counting.
    pub fn name(&self) -> &str {
        match self {
            Self::Ok => "ok",
            Self::Wrong => "wrong",
            Self::Cancelled => "cancelled",
            Self::Failed { code, .. } => code,
        }
    }

    /// Whether this says that no handler saw the job.
    pub fn denies_start(&self) -> bool {
        matches!(
            self,
            Self::Failed {
                not_started: true,
                ..
            }
        )
    }
}

/// What a worker writes down before it starts on a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// The job.
    pub name: JobName,
    /// The number of the attempt.
    pub attempt: u8,
}

/// A file that lines are written to.
#[derive(Debug)]
pub struct Journal(File);

impl Journal {
    /// Opens a journal, to add to what it has.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(append(path)?))
    }

    /// Writes a line, from any thread. When it returns, the line outlives this process.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        (&self.0).write_all(&text)
    }
}

/// Reads the lines of a journal one by one.
///
/// # Errors
/// What the system says; `InvalidData` for a line that is none.
pub fn read<Line: DeserializeOwned>(path: &Path, mut take: impl FnMut(Line)) -> io::Result<()> {
    let mut text = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    while text.read_until(b'\n', &mut line)? > 0 {
        take(serde_json::from_slice(&line)?);
        line.clear();
    }
    Ok(())
}
