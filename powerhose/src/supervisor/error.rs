//! Why a group could not be started.

use std::ffi::OsString;
use std::io;

/// A group of processes could not be started. Nothing of it is left running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The system refused to start the program: there is no such file, it may not be executed, a
    /// limit is reached. The operator's to mend.
    #[error("cannot start the process {}: {source}", program.display())]
    Program {
        /// The program as it was given to the builder.
        program: OsString,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused the thread or the descriptors that the supervision needs.
    #[error("cannot supervise processes: {0}")]
    Resources(#[source] io::Error),
}
