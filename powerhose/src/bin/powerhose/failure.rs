use std::{fmt, io};

use powerhose::security::KeyError;
use powerhose::{AskError, StartError, WorkerError};
use sysexits::ExitCode;

/// Why a role ended: one line that names the thing and the remedy, and a code of `sysexits.h`.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    pub(crate) fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self::with_code(code.into(), message)
    }

    /// The same, where a library says what its error means.
    pub(crate) fn with_code(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The system refused something that should always work.
    pub(crate) fn system(what: &str, error: &io::Error) -> Self {
        Self::new(ExitCode::OsErr, format!("cannot {what}: {error}"))
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    /// On one line, whatever the causes wrote.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = (self.message.lines())
            .map(str::trim)
            .filter(|line| !line.is_empty());
        if let Some(first) = lines.next() {
            f.write_str(first)?;
        }
        lines.try_for_each(|line| write!(f, " {line}"))
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::with_code(error.exit_code(), error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::with_code(error.exit_code(), error.to_string())
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self::with_code(error.exit_code(), error.to_string())
    }
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Self {
        Self::with_code(error.code(), error.to_string())
    }
}
