use std::io;

use crate::driver::claim::ClaimError;
use crate::driver::endpoint::EndpointError;

/// Why a worker could not run. It is always the operator's to mend; nothing of the worker is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// A setting is missing or cannot be.
    #[error("worker setting {setting}: {why}")]
    Setting {
        /// The method of the builder.
        setting: &'static str,
        /// What is wrong and what would be right.
        why: String,
    },
    /// The endpoint to connect to cannot be used.
    #[error("cannot connect: {0}")]
    Endpoint(#[from] EndpointError),
    /// The path of the worker's own socket cannot be listened at.
    #[error("cannot listen: {0}")]
    Claim(#[from] ClaimError),
    /// The system refused the descriptors, the threads or the signal handlers that a worker needs.
    #[error("cannot run a worker: {0}")]
    Resources(#[from] io::Error),
}

impl WorkerError {
    /// The code to exit with: 78 (`EX_CONFIG`) for settings, 73 (`EX_CANTCREAT`) for a path that cannot be listened at, 71
    /// (`EX_OSERR`) for what else the system refused.
    pub fn code(&self) -> u8 {
        match self {
            Self::Setting { .. } | Self::Endpoint(_) => 78,
            Self::Claim(_) => 73,
            Self::Resources(_) => 71,
        }
    }
}
