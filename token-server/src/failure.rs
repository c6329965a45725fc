use std::{fmt, io};

use powerhose::StartError;
use sysexits::ExitCode;
use token_server_web::{
    IdentitiesError, access::AccessError, settings::SettingsError, store::StoreError,
};

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
        let mut lines = self
            .message
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        if let Some(first) = lines.next() {
            f.write_str(first)?;
        }
        lines.try_for_each(|line| write!(f, " {line}"))
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let code = match &error {
            SettingsError::Unreadable { error, .. }
                if error.kind() == io::ErrorKind::PermissionDenied =>
            {
                ExitCode::NoPerm
            }
            SettingsError::Unreadable { .. } => ExitCode::NoInput,
            SettingsError::Content { .. } => ExitCode::DataErr,
            SettingsError::CurveKey { error: key, .. } => {
                return Self::with_code(key.exit_code(), error.to_string());
            }
            SettingsError::Syntax { .. } | SettingsError::Key { .. } => ExitCode::Config,
        };
        Self::new(code, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::File { error: system, .. } => {
                let code = if system.kind() == io::ErrorKind::PermissionDenied {
                    ExitCode::NoPerm
                } else {
                    ExitCode::CantCreat
                };
                Self::new(
                    code,
                    format!(
                        "{error}; set database.url to a file in a directory that this user may write to"
                    ),
                )
            }
            StoreError::Foreign { .. } => Self::new(
                ExitCode::DataErr,
                format!("{error}; set database.url to another database"),
            ),
            StoreError::Unwritable(_) => Self::new(ExitCode::DataErr, error.to_string()),
            StoreError::NodeExists(_) => Self::new(ExitCode::CantCreat, error.to_string()),
            StoreError::NoNode | StoreError::RetiredWithoutNode | StoreError::Unexpected(_) => {
                Self::new(ExitCode::Software, error.to_string())
            }
            StoreError::Unavailable(_) | StoreError::Silent(_) => Self::new(
                ExitCode::Unavailable,
                format!("{error}; see that it runs and that database.url names it"),
            ),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::with_code(error.exit_code(), error.to_string())
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        let code = match error {
            AccessError::Unreadable { .. } => ExitCode::NoInput,
            AccessError::Line { .. } | AccessError::Row(_) => ExitCode::DataErr,
            AccessError::Table(error) => return error.into(),
        };
        Self::new(code, error.to_string())
    }
}

impl From<IdentitiesError> for Failure {
    fn from(error: IdentitiesError) -> Self {
        let code = match &error {
            IdentitiesError::Documents(_) | IdentitiesError::Client(_) => ExitCode::OsFile,
            IdentitiesError::Unreadable { .. } => ExitCode::NoInput,
            IdentitiesError::Unusable { .. } => ExitCode::DataErr,
            IdentitiesError::NoKeys(_) => ExitCode::Config,
        };
        Self::new(code, error.to_string())
    }
}
