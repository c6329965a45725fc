//! What goes into the core and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::ExecuteError;
use crate::time::Time;
use crate::wire::{FromWorker, ToWorker, WireError};

/// Where a message came from or goes to, as the driver knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// A connection of the backend socket. The driver never reuses a number for another connection.
    Backend(u64),
    /// The connection to a worker's own socket, opened by [`Action::Connect`].
    Socket(u32),
}

/// How the driver names a job that a caller handed in; unique among the jobs under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A job as a caller hands it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// The service that must do it; empty for the default one.
    pub service: Arc<str>,
    /// The payload.
    pub body: Bytes,
    /// Metadata for the worker.
    pub metadata: Option<Bytes>,
    /// When the caller stops waiting.
    pub deadline: Time,
    /// How long one attempt may take before the job is given to another worker; `None`: as long as the job has.
    pub attempt_timeout: Option<Duration>,
    /// The most attempts, 1 to [`MAX_ATTEMPTS`](crate::wire::limits::MAX_ATTEMPTS).
    pub attempts: u8,
    /// Whether the job must not be started twice: one attempt, never sent behind another job.
    pub at_most_once: bool,
    /// Whose job it is. Those of different numbers take turns. 0 is this process.
    pub client: u32,
}

/// What happened, in the order in which the driver learned of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A caller hands in a job. It gets exactly one [`Action::Complete`].
    Submit {
        /// The driver's name for it.
        ticket: Ticket,
        /// The job.
        job: NewJob,
    },
    /// The caller of a job went away: no `Complete` follows. Ignored if there was one already.
    Cancel {
        /// The job.
        ticket: Ticket,
    },
    /// A worker sent a message.
    Message {
        /// Where it came from.
        peer: Peer,
        /// The message.
        message: FromWorker,
    },
    /// A peer sent something that is no message.
    Malformed {
        /// Where it came from.
        peer: Peer,
        /// What was wrong.
        error: WireError,
    },
    /// A message could not be sent because the connection is gone. Everything received over it was handed in before.
    Unreachable {
        /// Where the message should have gone.
        peer: Peer,
    },
    /// Mail to a peer piled up beyond the driver's bound.
    Overflow {
        /// The peer, whose mail the driver has dropped.
        peer: Peer,
    },
    /// Some connection of the backend closed; libzmq does not say whose.
    Disconnection,
    /// A supervised process exited.
    Exited {
        /// Its process id on this host.
        pid: u32,
    },
    /// Time passed: the deadline that the core asked for is reached.
    Tick,
    /// Refuse new jobs, finish those accepted, tell the workers. [`Action::Drained`] follows.
    Drain,
    /// Fail the jobs that are left and tell the workers. [`Action::Drained`] follows at once.
    Stop,
}

/// What the driver must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a message. If the connection is gone the driver hands in [`Event::Unreachable`], after everything that was
    /// received over it; if the socket would block it keeps the message in the peer's bounded outbox.
    Send {
        /// Where it goes.
        peer: Peer,
        /// The message.
        message: ToWorker,
    },
    /// Give a job's outcome to its caller.
    Complete {
        /// The job.
        ticket: Ticket,
        /// Its outcome.
        result: Result<Bytes, ExecuteError>,
    },
    /// Connect to a worker's own socket.
    Connect {
        /// How the core names the connection from now on; never reused.
        socket: u32,
        /// The path that the worker gave. The driver refuses one outside of its runtime directory with `Unreachable`.
        path: String,
        /// The connection that the worker registered over. That it is gone is handed in after everything received over the new one.
        peer: Peer,
    },
    /// Close the connection to a worker's own socket and drop its outbox.
    Close {
        /// The connection.
        socket: u32,
    },
    /// Every accepted job has had its outcome and every worker has been told: nothing more will come.
    Drained,
}
