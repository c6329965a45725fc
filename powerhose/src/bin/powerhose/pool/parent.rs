//! The process that started this one, watched.

use std::thread;
use std::time::Duration;

use rustix::process::{Pid, getppid};
use sysexits::ExitCode;

use crate::failure::Failure;

/// How often to look where the system does not tell.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The parent of this process.
///
/// Not the signal that Linux sends for a parent's death: that one comes when the thread that started this process ends, too.
pub(super) struct Parent {
    pid: Pid,
    /// Readable once it has ended.
    #[cfg(target_os = "linux")]
    pidfd: Option<std::os::fd::OwnedFd>,
}

impl Parent {
    /// Begins to watch.
    ///
    /// # Errors
    /// When the process is not the parent of this one, any more or at all.
    pub(super) fn watch(pid: u32) -> Result<Self, Failure> {
        let is_parent = |parent: &Pid| Some(*parent) == getppid();
        let pid = (i32::try_from(pid).ok())
            .and_then(Pid::from_raw)
            .filter(is_parent);
        let parent = pid.map(|pid| Self {
            pid,
            #[cfg(target_os = "linux")]
            pidfd: rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok(),
        });
        // It may have ended just now, and its number be another's.
        parent
            .filter(|parent| is_parent(&parent.pid))
            .ok_or_else(|| {
                let why = "--parent is not the process that started this one, or has ended";
                Failure::new(ExitCode::Usage, why)
            })
    }

    /// Waits until it has ended.
    pub(super) fn wait(&self) {
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = &self.pidfd {
            use rustix::event::{PollFd, PollFlags, poll};
            use rustix::io::Errno;

            loop {
                match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], None) {
                    Err(Errno::INTR) => {}
                    Ok(_) => return,
                    Err(_) => break,
                }
            }
        }
        while getppid() == Some(self.pid) {
            thread::sleep(LOOK_EVERY);
        }
    }
}
