//! The handle of a group of processes.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::builder::WorkersBuilder;
use super::exits::Exits;
use super::snapshot::{ProcessSnapshot, StopReport};
use super::thread::Shared;

/// A group of processes of one program, kept at its count.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use powerhose::Workers;
///
/// let workers = Workers::builder("crypto-worker").arg("ipc:///run/tokens/master").count(2).start()?;
/// // ... serve ...
/// let report = workers.stop(Duration::from_secs(30)).await;
/// assert!(report.is_graceful());
/// # Ok(())
/// # }
/// ```
///
/// A process that ends without having been told to is replaced after a backoff; one that keeps
/// dying at start is given up (see the [builder](WorkersBuilder) for the rules). Each process leads
/// a process group of its own: a Ctrl-C at the terminal reaches this program alone, which drains
/// its jobs first and stops its workers last. Whatever is left of the group when the process has
/// ended is killed; a helper that shall live longer calls `setsid`. Standard input is `/dev/null`.
///
/// # When this program dies
/// On Linux the processes get `SIGKILL` at once, however it died, unless their program is
/// set-user-id or has file capabilities, and so they do if the supervising thread fails. Only
/// helpers that they started themselves are not covered. Elsewhere the processes must notice by
/// themselves; a [`Worker`](crate::Worker) does, since its master is gone.
///
/// # Dropping
/// Dropping the group stops it with the builder's grace and blocks until that is done: at most for
/// the grace and 5 s. Inside an executor call [`stop`](Self::stop) instead.
///
/// # What the surrounding program must leave alone
/// It must not wait for any child (`waitpid(-1)`) nor ignore `SIGCHLD`; else causes of exits are
/// unknown. No signal handler is installed, and no process but these is waited for.
pub struct Workers {
    shared: Arc<Shared>,
    /// Taken by whoever stops the group.
    thread: Option<JoinHandle<StopReport>>,
    /// Resolves when the thread ends.
    end: oneshot::Receiver<Infallible>,
    grace: Duration,
}

impl Workers {
    /// Describes a group of processes of `program`: a path, or a name that is looked up in `PATH`.
    pub fn builder(program: impl AsRef<OsStr>) -> WorkersBuilder {
        WorkersBuilder::new(program.as_ref())
    }

    pub(super) fn new(
        shared: Arc<Shared>,
        thread: JoinHandle<StopReport>,
        end: oneshot::Receiver<Infallible>,
        grace: Duration,
    ) -> Self {
        Self {
            shared,
            thread: Some(thread),
            end,
            grace,
        }
    }

    /// The ids of the processes that exist now, those that are stopping included.
    pub fn pids(&self) -> Vec<u32> {
        pids(&self.shared)
    }

    /// Every place of the group. Costs the supervision nothing.
    pub fn snapshot(&self) -> Vec<ProcessSnapshot> {
        self.shared.snapshot()
    }

    /// Subscribes to the ends of processes from now on, to tell a master at once whom it has lost
    /// and why, or to notice that a place was given up.
    pub fn exits(&self) -> Exits {
        Exits::new(self.shared.exits.subscribe())
    }

    /// Starts or stops processes until there are `count`; those at the highest places go first.
    /// Returns at once: [`snapshot`](Self::snapshot) shows how far it is. While a process is still
    /// stopping, no other takes its place. A process that can't be started counts as one that died
    /// at start.
    pub fn set_count(&self, count: usize) {
        self.shared.set_count(count);
    }

    /// Replaces the process at a place: it is stopped with the builder's grace, then another is
    /// started. An empty place gets its process now, also one that was given up, with all its
    /// retries. Returns at once, and does nothing where there is no such place.
    pub fn restart(&self, place: usize) {
        self.shared.restart(place);
    }

    /// Stops everything: `SIGTERM` to all, `SIGKILL` to those that still exist after `grace`.
    /// Nothing is started any more. Returns when all are gone and reaped, at most 5 s after the
    /// grace.
    ///
    /// A future that is dropped after it was polled leaves the stop to go on without it.
    pub async fn stop(mut self, grace: Duration) -> StopReport {
        let thread = self.thread.take();
        self.shared.stop(grace);
        let Err(_ended) = (&mut self.end).await;
        self.join(thread)
    }

    /// Like [`stop`](Self::stop) for callers outside an executor: blocks the thread.
    pub fn stop_blocking(mut self, grace: Duration) -> StopReport {
        let thread = self.thread.take();
        self.shared.stop(grace);
        self.join(thread)
    }

    fn join(&self, thread: Option<JoinHandle<StopReport>>) -> StopReport {
        // Should the thread have failed, the system has told its processes to die, and nobody could
        // watch.
        let lost = || StopReport {
            left: pids(&self.shared),
            ..StopReport::default()
        };
        thread
            .and_then(|thread| thread.join().ok())
            .unwrap_or_else(lost)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.shared.stop(self.grace);
            self.join(Some(thread));
        }
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("places", &self.snapshot())
            .finish_non_exhaustive()
    }
}

fn pids(shared: &Shared) -> Vec<u32> {
    shared
        .snapshot()
        .iter()
        .filter_map(|place| place.pid)
        .collect()
}
