use bytes::Bytes;

use crate::error::ExecuteError;
use crate::master::{NewJob, Ticket};
use crate::time::Time;
use crate::wire::{FromClient, ToClient};

/// What happened. A link is a master's place in the order of preference.
#[derive(Debug)]
pub(crate) enum Input {
    /// A caller hands in a job.
    Submit { ticket: Ticket, job: NewJob },
    /// The caller of a job went away: no `Complete` follows.
    Cancel { ticket: Ticket },
    /// A master sent a message.
    Message { link: usize, message: ToClient },
    /// A connection broke or was refused. Everything received over it was handed in before. `is_local` tells whether the
    /// endpoint is a path of this host, where a refusal proves that the master has ended; on the way to another host much else can refuse.
    Broken { link: usize, is_local: bool },
    /// Time passed.
    Tick,
    /// Take no more jobs; end when the last one has its outcome, or at this time.
    Close { at: Time },
}

/// What to do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Open a new connection to a master.
    Connect { link: usize },
    /// Close the connection. With `farewell` what was sent last is still to be delivered.
    Close { link: usize, farewell: bool },
    /// Send a message.
    Send { link: usize, message: FromClient },
    /// Give a job's outcome to its caller.
    Complete {
        ticket: Ticket,
        result: Result<Bytes, ExecuteError>,
    },
    /// Nothing more will come.
    Closed,
}
