use std::path::PathBuf;

use crate::{documents::FetcherError, outbound::ClientError};

/// Why nobody can be asked about users.
#[derive(Debug, thiserror::Error)]
pub enum IdentitiesError {
    /// Support documents cannot be fetched.
    #[error(transparent)]
    Documents(#[from] FetcherError),
    /// Keys cannot be fetched.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An issuer's keys are nowhere to be found.
    #[error("nothing says where the keys of {0} are; set its jwks_uri")]
    NoKeys(String),
    /// A file of keys cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file holds no JWK Set.
    #[error("the JWK Set in {} {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
}
