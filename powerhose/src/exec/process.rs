use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::errors::LastLine;
use crate::ExitCause;
use crate::driver::child::Child;
use crate::driver::pipes::{Pipes, Turn};

/// How long a process that has closed its output, or was killed, may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// A process and the way to talk to it.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) id: u32,
    pub(super) handle: Handle,
    pub(super) pipes: Pipes,
    pub(super) last_line: LastLine,
}

/// What it takes to end a process.
#[derive(Debug, Clone)]
pub(super) struct Handle(Arc<Mutex<Child>>);

impl Process {
    pub(super) fn new(child: Child, pipes: Pipes, last_line: LastLine) -> Self {
        Self {
            id: child.id(),
            handle: Handle(Arc::new(Mutex::new(child))),
            pipes,
            last_line,
        }
    }

    /// How it ended that has closed its output. Ends it if it goes on nevertheless.
    pub(super) fn reap(&self) -> ExitCause {
        let ended = self.handle.wait_for(GONE_WITHIN);
        ended.unwrap_or_else(|| self.handle.kill())
    }

    /// Whether it waits silently for a job.
    pub(super) fn is_ready(&mut self) -> bool {
        let mut received = Vec::new();
        let turn = (self.pipes).turn(&mut &[][..], &mut received, 1, Duration::ZERO);
        matches!(turn, Ok(Turn::Open)) && received.is_empty()
    }
}

impl Handle {
    fn child(&self) -> MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it at once, with what it has started.
    pub(super) fn kill(&self) -> ExitCause {
        let mut child = self.child();
        child.kill_group();
        child.wait_for(GONE_WITHIN).unwrap_or(ExitCause::Unknown)
    }

    /// How it ended, if it does within this time.
    pub(super) fn wait_for(&self, time: Duration) -> Option<ExitCause> {
        self.child().wait_for(time)
    }
}
