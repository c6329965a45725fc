//! The pipes to a child: written and read in turns by one thread, never blocking, with a time limit.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// What a turn brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Something moved, or the time is over.
    Open,
    /// The child has closed its output.
    Ended,
}

/// A child's standard input and output.
#[derive(Debug)]
pub(crate) struct Pipes {
    input: Option<ChildStdin>,
    output: ChildStdout,
}

impl Pipes {
    pub(crate) fn new(input: ChildStdin, output: ChildStdout) -> io::Result<Self> {
        ioctl_fionbio(&input, true)?;
        ioctl_fionbio(&output, true)?;
        Ok(Self {
            input: Some(input),
            output,
        })
    }

    /// Closes the child's input: it reads the end.
    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Writes of `unsent` what fits, taking it away, and appends to `received` what has come, up to `limit` bytes in all. Waits for up to
    /// `timeout` if neither is possible. A child that does not read its input any more may still have an answer: its input is then
    /// closed, and the rest stays in `unsent`.
    ///
    /// # Errors
    /// What the system said, other than that the pipe is broken.
    pub(crate) fn turn(
        &mut self,
        unsent: &mut &[u8],
        received: &mut Vec<u8>,
        limit: usize,
        timeout: Duration,
    ) -> io::Result<Turn> {
        self.wait(!unsent.is_empty(), timeout)?;
        self.write(unsent)?;
        self.read(received, limit)
    }

    fn wait(&self, to_write: bool, timeout: Duration) -> io::Result<()> {
        let mut descriptors = vec![PollFd::from_borrowed_fd(self.output.as_fd(), PollFlags::IN)];
        if let Some(input) = self.input.as_ref().filter(|_| to_write) {
            let input = PollFd::from_borrowed_fd(input.as_fd(), PollFlags::OUT);
            descriptors.push(input);
        }
        let timeout = Timespec::try_from(timeout).ok();
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&mut self, unsent: &mut &[u8]) -> io::Result<()> {
        while !unsent.is_empty()
            && let Some(input) = &mut self.input
        {
            match input.write(unsent) {
                Ok(written) => *unsent = unsent.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.input = None,
                Err(error) => return none_if_would_block(error),
            }
        }
        Ok(())
    }

    fn read(&mut self, received: &mut Vec<u8>, limit: usize) -> io::Result<Turn> {
        while received.len() < limit {
            let had = received.len();
            received.resize(had.saturating_add(CHUNK).min(limit), 0);
            let read = self
                .output
                .read(received.get_mut(had..).unwrap_or_default());
            received.truncate(had + read.as_ref().copied().unwrap_or_default());
            match read {
                Ok(0) => return Ok(Turn::Ended),
                Ok(_) => {}
                Err(error) => return none_if_would_block(error).map(|()| Turn::Open),
            }
        }
        Ok(Turn::Open)
    }
}

fn none_if_would_block(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}
