//! What happens to the service itself: now and then it is stopped for a while, as a machine does that is short of memory or
//! being moved.

use std::io;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use rand::RngExt;
use rustix::process::{Signal, getpid, kill_process};

use super::super::super::journal::Entry;
use super::Injector;

impl Injector {
    /// Stops this process every few seconds. The director, told by a report, continues it.
    pub(super) fn pause_service(mut self) -> io::Result<()> {
        let mut until_next = 1200..1500;
        while self.wait(until_next) {
            let common = self.common.clone();
            let _alone = (common.undisturbed.write()).unwrap_or_else(PoisonError::into_inner);
            // Sometimes longer than anybody waits for the other's heartbeat.
            let pause = Duration::from_millis(self.random.random_range(200..1500));
            self.shared.journal.write(&Entry::Paused)?;
            self.shared.report(&self.runtime, Some(pause))?;
            kill_process(getpid(), Signal::STOP)?;
            // The signal may take another thread first; nobody shall measure anything in the meantime.
            thread::sleep(Duration::from_millis(100));
            until_next = 3000..6000;
        }
        Ok(())
    }
}
