//! What goes into the frontend's core and what comes out of it.

use bytes::Bytes;

use crate::error::ExecuteError;
use crate::master::{NewJob, Ticket};
use crate::wire::{FromClient, ToClient, WireError};

/// What happened, in the order in which the driver learned of it. A connection is the driver's number for it, never reused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrontendEvent {
    /// A client or operator sent a message.
    Message {
        /// Where it came from.
        connection: u64,
        /// The message.
        message: FromClient,
    },
    /// A peer sent something that is no message.
    Malformed {
        /// Where it came from.
        connection: u64,
        /// What was wrong.
        error: WireError,
    },
    /// The master's core gave a job its outcome.
    Completed {
        /// The job, as [`FrontendAction::Submit`] named it.
        ticket: Ticket,
        /// Its outcome.
        result: Result<Bytes, ExecuteError>,
    },
    /// A message could not be sent because the connection is gone. Everything received over it was handed in before.
    Unreachable {
        /// The connection.
        connection: u64,
    },
    /// Mail to a client piled up beyond the driver's bound.
    Overflow {
        /// The connection, whose mail the driver has dropped.
        connection: u64,
    },
    /// Some connection of the frontend closed; libzmq does not say whose.
    Disconnection,
    /// Time passed: the deadline that the core asked for is reached.
    Tick,
    /// Take no more sessions and jobs, and tell the clients.
    Drain,
    /// The last job has its outcome: tell the clients good-bye.
    Finish,
}

/// What the driver must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrontendAction {
    /// Send a message. If the connection is gone the driver hands in [`FrontendEvent::Unreachable`], after everything that was
    /// received over it; if the socket would block it keeps the message in a bounded outbox.
    Send {
        /// Where it goes.
        connection: u64,
        /// The message.
        message: ToClient,
    },
    /// Hand a job to the master's core. [`FrontendEvent::Completed`] follows, unless it is cancelled before.
    Submit {
        /// The job's name, which no other job has.
        ticket: Ticket,
        /// The job.
        job: NewJob,
    },
    /// Take a job back from the master's core: its outcome is no longer wanted.
    Cancel {
        /// The job.
        ticket: Ticket,
    },
    /// Send a report.
    Report {
        /// To whom.
        connection: u64,
    },
}
