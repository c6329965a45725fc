//! The stream of process ends.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::exit::ProcessExit;

/// Ends kept for a subscriber that lags behind.
pub(super) const BACKLOG: usize = 256;

/// The ends of a group's processes from the moment of [`Workers::exits`](super::Workers::exits) on,
/// in their order.
///
/// A subscriber that lags behind by more than 256 ends loses the oldest ones;
/// [`missed`](Self::missed) counts them. The supervision never waits for a subscriber.
#[derive(Debug)]
pub struct Exits {
    receiver: Receiver<ProcessExit>,
    missed: u64,
}

impl Exits {
    pub(super) fn new(receiver: Receiver<ProcessExit>) -> Self {
        Self {
            receiver,
            missed: 0,
        }
    }

    /// The next end; none once the group is gone and all its ends have been taken. Safe to cancel:
    /// an end that was not returned is returned by the next call.
    pub async fn next(&mut self) -> Option<ProcessExit> {
        loop {
            match self.receiver.recv().await {
                Ok(exit) => return Some(exit),
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(lost)) => self.missed += lost,
            }
        }
    }

    /// Like [`next`](Self::next) for callers outside an executor.
    ///
    /// # Panics
    /// When it is called inside a tokio runtime, whose thread it would block.
    pub fn next_blocking(&mut self) -> Option<ProcessExit> {
        loop {
            match self.receiver.blocking_recv() {
                Ok(exit) => return Some(exit),
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(lost)) => self.missed += lost,
            }
        }
    }

    /// How many ends this subscriber has lost by lagging behind.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}
