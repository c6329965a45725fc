//! The folder of a run: the one place where its processes meet.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Where the processes of a run find each other and leave their evidence.
#[derive(Debug, Clone)]
pub struct Ground(PathBuf);

impl Ground {
    /// The ground in an existing folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Makes what is to be there before the first process starts.
    ///
    /// # Errors
    /// What the system says.
    pub fn prepare(&self) -> io::Result<()> {
        fs::create_dir(self.executions())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the master of every life listens.
    pub fn endpoint(&self) -> String {
        format!("ipc://{}", self.0.join("run/master").display())
    }

    /// Where a worker may have a socket of its own: beside the master's, or it refuses to connect.
    pub fn own_endpoint(&self) -> String {
        let name = format!("run/worker-{}", std::process::id());
        format!("ipc://{}", self.0.join(name).display())
    }

    /// The folder in which each worker process has a file of its executions.
    pub fn executions(&self) -> PathBuf {
        self.0.join("executions")
    }

    /// The journal of a service's life.
    pub fn journal(&self, life: u32) -> PathBuf {
        self.0.join(format!("journal-{life}"))
    }

    /// What the processes have to say to a person.
    ///
    /// # Errors
    /// What the system says.
    pub fn log(&self) -> io::Result<File> {
        append(&self.0.join("log"))
    }
}

/// Opens a file so that each write goes to its end as a whole, whoever else writes to it and whatever becomes of the writer.
pub(super) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
