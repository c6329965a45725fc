//! Waits on descriptors with a timeout of full resolution.
//!
//! libzmq's own `zmq_poll` knows milliseconds only and pays two more system calls per socket and sleep. A socket's descriptor
//! (`ZMQ_FD`) may be polled directly by whoever keeps its contract: it signals only what the socket has not been asked about
//! since. So before a wait, each socket must have answered "nothing to receive" after the last thing that was done with it, a
//! send included.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The descriptors of one wait.
#[derive(Default)]
pub(crate) struct Poll<'fd> {
    fds: Vec<PollFd<'fd>>,
}

impl<'fd> Poll<'fd> {
    /// Adds a descriptor to wait on for input. Returns its place for [`is_ready`](Self::is_ready).
    pub(crate) fn add(&mut self, fd: BorrowedFd<'fd>) -> usize {
        self.push(fd, PollFlags::IN)
    }

    /// Adds a descriptor to wait on for room to write.
    pub(crate) fn add_for_room(&mut self, fd: BorrowedFd<'fd>) -> usize {
        self.push(fd, PollFlags::OUT)
    }

    /// Adds a descriptor to wait on for either.
    pub(crate) fn add_for_both(&mut self, fd: BorrowedFd<'fd>) -> usize {
        self.push(fd, PollFlags::IN | PollFlags::OUT)
    }

    fn push(&mut self, fd: BorrowedFd<'fd>, flags: PollFlags) -> usize {
        self.fds.push(PollFd::from_borrowed_fd(fd, flags));
        self.fds.len() - 1
    }

    /// Whether the descriptor at this place was found ready, or broken, by the last wait.
    pub(crate) fn is_ready(&self, place: usize) -> bool {
        (self.fds.get(place)).is_some_and(|fd| !fd.revents().is_empty())
    }
}

/// Waits until a descriptor is ready or the time is over; `None` waits for as long as it takes. A signal ends the wait too.
///
/// # Errors
/// When the system is out of memory.
pub(crate) fn wait(descriptors: &mut Poll<'_>, timeout: Option<Duration>) -> io::Result<()> {
    // A time too long for the system is forever.
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match poll(&mut descriptors.fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
