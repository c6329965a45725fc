//! What the thread of a master has in common with those who use it, and what it leaves.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::inbox::MasterInbox;
use crate::driver::clock::Clock;
use crate::master::Stats;

/// How a master ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Jobs that were under way when the shutdown began and had their outcome before it ended.
    pub finished: usize,
    /// Jobs that were failed as [`ShuttingDown`](crate::ExecuteError::ShuttingDown) because the grace was over.
    pub aborted: usize,
}

impl ShutdownReport {
    pub(crate) fn new(finished: usize, aborted: usize) -> Self {
        Self { finished, aborted }
    }
}

/// What is left of a master that ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ended {
    pub(crate) report: ShutdownReport,
    pub(crate) stats: Stats,
}

/// What the thread has in common with those who use it.
pub(crate) struct Handle {
    pub(crate) inbox: Arc<MasterInbox>,
    pub(crate) clock: Clock,
    /// Holds what is left once the thread is about to end, with everything closed.
    pub(crate) ended: watch::Receiver<Option<Ended>>,
    pub(crate) thread: JoinHandle<()>,
}
