//! How a process ended and what follows.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a process is no more, or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitCause {
    /// It exited by itself with this code.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The signal's number, 9 for `SIGKILL`.
        signal: i32,
        /// Whether the system says that it wrote a core file.
        core_dumped: bool,
    },
    /// It could not be started.
    NotStarted {
        /// What kind of failure that was.
        kind: io::ErrorKind,
        /// The system's error number, when the system refused.
        os_error: Option<i32>,
    },
    /// It ended, but its exit status was taken by somebody else: the surrounding program ignores
    /// `SIGCHLD` or waits for any child.
    Unknown,
}

impl From<ExitStatus> for ExitCause {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal {
                signal,
                core_dumped: status.core_dumped(),
            },
            (None, None) => Self::Unknown,
        }
    }
}

impl From<&io::Error> for ExitCause {
    fn from(error: &io::Error) -> Self {
        Self::NotStarted {
            kind: error.kind(),
            os_error: error.raw_os_error(),
        }
    }
}

impl fmt::Display for ExitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal {
                signal,
                core_dumped,
            } => {
                match signal_hook::low_level::signal_name(signal) {
                    Some(name) => write!(f, "killed by {name}")?,
                    None => write!(f, "killed by signal {signal}")?,
                }
                if core_dumped {
                    write!(f, " (core dumped)")
                } else {
                    Ok(())
                }
            }
            Self::NotStarted {
                os_error: Some(code),
                ..
            } => {
                write!(f, "not started: {}", io::Error::from_raw_os_error(code))
            }
            Self::NotStarted {
                kind,
                os_error: None,
            } => write!(f, "not started: {kind}"),
            Self::Unknown => write!(f, "exit status taken by somebody else"),
        }
    }
}

/// The end of one process, as [`Exits`](super::Exits) tells it. A failed attempt to start one
/// counts as an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessExit {
    /// The place it held, from 0.
    pub place: usize,
    /// Its process id; none if it could not be started. The system may give the number to another
    /// process from now on.
    pub pid: Option<u32>,
    /// How it ended.
    pub cause: ExitCause,
    /// How long it had run.
    pub ran_for: Duration,
    /// Whether it had been told to stop, by [`stop`](super::Workers::stop),
    /// [`restart`](super::Workers::restart), a smaller [`set_count`](super::Workers::set_count) or
    /// by dropping the group.
    pub requested: bool,
    /// What becomes of its place.
    pub next: AfterExit,
}

/// What becomes of the place of a process that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterExit {
    /// Another process is started after this time; zero when a restart was asked for.
    Restart {
        /// The wait before the start.
        after: Duration,
    },
    /// Too many processes in a row died at start: the place stays empty until
    /// [`restart`](super::Workers::restart) is called for it.
    GaveUp,
    /// The place is gone with it: the group shrinks or stops.
    Removed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_reads_as_a_sentence() {
        assert_eq!(ExitCause::Code(3).to_string(), "exit code 3");
        let killed = ExitCause::from(ExitStatus::from_raw(9));
        assert_eq!(
            killed,
            ExitCause::Signal {
                signal: 9,
                core_dumped: false
            }
        );
        assert_eq!(killed.to_string(), "killed by SIGKILL");
        let aborted = ExitCause::from(ExitStatus::from_raw(0x80 | 6));
        assert_eq!(aborted.to_string(), "killed by SIGABRT (core dumped)");
        let missing = ExitCause::from(&io::Error::from_raw_os_error(2));
        assert!(
            missing.to_string().starts_with("not started: No such file"),
            "{missing}"
        );
    }
}
