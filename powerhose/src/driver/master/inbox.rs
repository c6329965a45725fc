//! What may be asked of a master's thread.

use tokio::sync::oneshot;

use crate::driver::inbox::{Ask, Inbox};
use crate::master::{Stats, WorkerSnapshot};
use crate::standalone::Limits;
use crate::time::Time;

/// The handover to a master's thread.
pub(crate) type MasterInbox = Inbox<Request>;

/// What else may be asked of a master's thread.
pub(crate) enum Request {
    /// A snapshot of the workers.
    Workers(oneshot::Sender<Vec<WorkerSnapshot>>),
    /// A copy of everything counted.
    Stats(oneshot::Sender<Box<Stats>>),
    /// Word when as many workers are active, or at the deadline how many there are.
    Await {
        count: usize,
        deadline: Time,
        reply: oneshot::Sender<Result<(), usize>>,
    },
    /// A supervised process exited.
    Exited(u32),
    /// Change limits.
    Limits(Limits),
    /// Take no more jobs, end when the last one has its outcome, or at this time.
    Shutdown(Time),
}

impl Ask for Request {
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Workers(reply) => reply.is_closed(),
            Self::Stats(reply) => reply.is_closed(),
            Self::Await { reply, .. } => reply.is_closed(),
            Self::Exited(_) | Self::Limits(_) | Self::Shutdown(_) => false,
        }
    }
}
