use std::{fmt, path::PathBuf};

use figment::error::{Error as Figment, Kind};
use powerhose::security::KeyError;

/// Why the settings were refused. One line that names the key and where its value came from.
#[derive(Debug)]
pub enum SettingsError {
    /// The file could not be read.
    Unreadable {
        /// The settings file, or one that a setting names.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file that a setting names holds something else. Of a file of secrets, what it holds is never
    /// quoted.
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is not TOML.
    Syntax {
        /// The settings file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// A file of CURVE keys cannot be used.
    CurveKey {
        /// The setting that names it.
        key: &'static str,
        /// What is wrong with it; it names the file.
        error: KeyError,
    },
    /// A key is unknown, missing, or has a value that cannot be used.
    Key {
        /// The key, with its sections: `browserid.gateway`.
        key: String,
        /// What is wrong, and what would be right.
        message: String,
        /// Where the value came from, when it came from somewhere.
        source: Option<String>,
    },
}

impl SettingsError {
    pub(super) fn key(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Key {
            key: key.into(),
            message: message.into(),
            source: None,
        }
    }
}

impl From<Figment> for SettingsError {
    /// The first of what may be several complaints: one line is what gets read.
    fn from(error: Figment) -> Self {
        let mut path = error.path.clone();
        let message = match &error.kind {
            // The path ends with its name already.
            Kind::UnknownField(_, known) => {
                format!("is not a setting; known here: {}", known.join(", "))
            }
            Kind::MissingField(name) => {
                path.push(name.to_string());
                "has no default and must be set".to_owned()
            }
            Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
                format!("found {found}, expected {expected}")
            }
            other => other.to_string(),
        };
        Self::Key {
            key: path.join("."),
            message,
            source: error.metadata.map(|metadata| metadata.name.into_owned()),
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => {
                write!(f, "cannot read {}: {error}", path.display())
            }
            Self::Content { path, reason } => write!(f, "{} {reason}", path.display()),
            Self::Syntax { path, message } => {
                write!(f, "{} is not TOML: {message}", path.display())
            }
            Self::CurveKey { key, error } => write!(f, "setting {key}: {error}"),
            Self::Key {
                key,
                message,
                source,
            } => {
                write!(f, "setting {key}: {message}")?;
                match source {
                    Some(source) => write!(f, " (from {source})"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for SettingsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            Self::CurveKey { error, .. } => Some(error),
            Self::Content { .. } | Self::Syntax { .. } | Self::Key { .. } => None,
        }
    }
}
