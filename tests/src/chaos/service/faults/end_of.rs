//! When a process came to its end, as the system sees it.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A thread that waits for the end of a process: whoever asks the master meanwhile would notice late.
pub(super) struct EndOf {
    began: Instant,
    watcher: JoinHandle<io::Result<Instant>>,
}

impl EndOf {
    /// Begins to watch. The process need not be a child; all its threads must have ended, its files be closed.
    ///
    /// # Errors
    /// When the process has ended already, or the system has no descriptor or thread to spare.
    pub(super) fn watch(pid: Pid) -> io::Result<Self> {
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        let watcher = thread::Builder::new().spawn(move || {
            poll(&mut [PollFd::new(&process, PollFlags::IN)], None)?;
            Ok(Instant::now())
        })?;
        Ok(Self {
            began: Instant::now(),
            watcher,
        })
    }

    /// How long it took. To be asked about a process that was killed.
    pub(super) fn time(self) -> io::Result<Duration> {
        let ended = self.watcher.join();
        let ended = ended.map_err(|_| io::Error::other("the thread that waited panicked"))??;
        Ok(ended.saturating_duration_since(self.began))
    }
}
