//! What goes into a session and what comes out of it.

use std::time::Duration;

use bytes::Bytes;

use crate::time::Time;
use crate::wire::{FromWorker, JobKey, ResultCode, ToWorker, WireError};
use crate::worker::Exit;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The master sent a message over the connection that was opened last.
    Message(ToWorker),
    /// Something came over the connection that is no message.
    Malformed(WireError),
    /// The handler in this slot is done.
    Finished {
        /// The slot that [`Output::Start`] named.
        slot: u16,
        /// How it ended.
        code: ResultCode,
        /// How long it ran.
        elapsed: Duration,
        /// The result, or the message of the error.
        body: Bytes,
    },
    /// Finish what has started, hand back the rest, leave.
    Drain,
    /// Leave at once.
    Stop,
    /// Time passed: the deadline that the session asked for is reached.
    Tick,
}

/// What the driver must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Close the connection, if there is one, together with everything that waits in it, and open a new one.
    Open,
    /// Send a message over the connection.
    Send(FromWorker),
    /// Run the handler in a slot, which is free. [`Input::Finished`] must follow.
    Start {
        /// The slot, below the number of slots registered.
        slot: u16,
        /// The job.
        job: Assignment,
    },
    /// Nobody wants the result of the job in this slot any more: raise the flag that its handler can ask.
    Cancel {
        /// The slot.
        slot: u16,
    },
    /// The handler in this slot has overrun its time. Said once for each job.
    Overrun {
        /// The slot.
        slot: u16,
        /// What it works on.
        key: JobKey,
        /// The index of the service among those registered.
        service: u16,
        /// How long it has been running.
        running: Duration,
    },
    /// The worker is done. What was sent before is still worth delivering. Nothing follows.
    Exit(Exit),
}

/// A job for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The attempt.
    pub key: JobKey,
    /// The index of the service among those registered.
    pub service: u16,
    /// When the caller stops waiting.
    pub deadline: Time,
    /// The payload.
    pub body: Bytes,
    /// Metadata from the caller.
    pub metadata: Option<Bytes>,
}
