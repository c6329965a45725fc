use std::io;
use std::path::PathBuf;

/// Why a key or a list of keys cannot be used. No message holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The libzmq of this build has no CURVE.
    #[error("this build of libzmq has no CURVE: use the one that the README names")]
    Unavailable,
    /// A file cannot be read or written.
    #[error("cannot {what} {path:?}: {source}")]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read a secret key.
    #[error(
        "others may read the secret key in {path:?}: chmod 600 it, and make a new one if they may have"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// Text is no key.
    #[error("not a key: 40 characters of Z85 are one")]
    NotAKey,
    /// A file holds no key, or something that is none.
    #[error("{path:?} line {line} holds no key: 40 characters of Z85 are one")]
    NoKeyIn {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl KeyError {
    /// The code of `sysexits.h` to exit with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unavailable => 69,
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => 77,
            Self::File { what: "create", .. } => 73,
            Self::File { .. } => 66,
            Self::Exposed { .. } => 77,
            Self::NotAKey | Self::NoKeyIn { .. } => 65,
        }
    }
}
