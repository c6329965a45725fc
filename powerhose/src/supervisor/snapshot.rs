//! What a group of processes looks like from outside.

use super::exit::ExitCause;

/// One place of a group at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessSnapshot {
    /// The place, from 0 to the count; higher ones while the group shrinks.
    pub place: usize,
    /// The process that holds it now.
    pub pid: Option<u32>,
    /// What goes on there.
    pub state: ProcessState,
    /// How many processes were started here after the first one, for whatever reason.
    pub restarts: u64,
    /// How the latest process here ended, or why it could not be started.
    pub last_exit: Option<ExitCause>,
}

/// What goes on at one place of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessState {
    /// A process is about to be started.
    Starting,
    /// A process runs. Whether it works yet is known to the master it registers with.
    Running,
    /// A process was told to stop and still exists.
    Stopping,
    /// The last process ended; the next one is started after a backoff.
    BackingOff,
    /// Too many processes in a row died at start; nothing is started until
    /// [`restart`](super::Workers::restart) is called for this place.
    GaveUp,
}

/// How a group went down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StopReport {
    /// Processes that ended within the grace.
    pub stopped: usize,
    /// Processes that had to be killed.
    pub killed: usize,
    /// Processes that still existed 5 s after `SIGKILL`, stuck inside the kernel.
    pub left: Vec<u32>,
}

impl StopReport {
    /// Whether every process ended by itself within the grace.
    pub fn is_graceful(&self) -> bool {
        self.killed == 0 && self.left.is_empty()
    }
}
