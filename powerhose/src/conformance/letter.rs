use std::fmt;

use bytes::Bytes;

use crate::driver::socket::Foreign;
use crate::wire::{FromWorker, WireError};

/// The bytes of a frame that are shown.
const SHOWN: usize = 64;

/// Where a message came over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// A connection to the master.
    Master(u64),
    /// A connection to the master, with a routing id that the worker set.
    Named(Foreign),
    /// The worker's own socket.
    Own,
}

/// A message from the worker as it came, and as it reads.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) way: Way,
    pub(super) frames: Vec<Bytes>,
    pub(super) message: Result<FromWorker, WireError>,
}

impl Letter {
    pub(super) fn new(way: Way, frames: Vec<Bytes>) -> Self {
        let message = FromWorker::decode(&mut frames.clone(), usize::MAX);
        Self {
            way,
            frames,
            message,
        }
    }
}

/// What it is, and its bytes.
impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Ok(FromWorker::Register { session, .. }) => {
                write!(f, "REGISTER of session {session:016x}")
            }
            Ok(FromWorker::Heartbeat { session }) => {
                write!(f, "HEARTBEAT of session {session:016x}")
            }
            Ok(FromWorker::Result {
                session, key, code, ..
            }) => write!(
                f,
                "RESULT {} for job {} attempt {} of session {session:016x}",
                code.name(),
                key.job,
                key.attempt
            ),
            Ok(FromWorker::Drain { session }) => write!(f, "DRAIN of session {session:016x}"),
            Ok(FromWorker::Disconnect { session, reason }) => {
                write!(f, "DISCONNECT {} of session {session:016x}", reason.name())
            }
            Err(error) => write!(f, "what is no message ({error})"),
        }?;
        f.write_str(" [")?;
        for (index, frame) in self.frames.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            for byte in frame.iter().take(SHOWN) {
                write!(f, "{byte:02x}")?;
            }
            if frame.len() > SHOWN {
                write!(f, "... {} bytes", frame.len())?;
            }
        }
        f.write_str("]")
    }
}
