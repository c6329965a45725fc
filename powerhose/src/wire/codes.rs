//! The code field of the header: one table per command that uses it.

use super::error::WireError;

/// Declares an enum whose values travel in the header's code field.
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident in $field:literal {
        $($(#[$variant_meta:meta])* $variant:ident = $value:literal, $text:literal;)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum $name {
            $($(#[$variant_meta])* $variant = $value,)+
        }

        impl $name {
            /// Every value, in the order of protocol.md's table.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The number on the wire.
            pub const fn to_wire(self) -> u16 {
                self as u16
            }

            /// The stable name used in protocol.md, logs and counters.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Reads the number on the wire.
            ///
            /// # Errors
            /// [`WireError::Field`] if protocol.md's table has no such number.
            pub fn from_wire(code: u16) -> Result<Self, WireError> {
                match code {
                    $($value => Ok(Self::$variant),)+
                    _ => Err(WireError::Field {
                        field: $field,
                        why: format!("{code} is not in the table"),
                    }),
                }
            }
        }
    };
}

codes! {
    /// How an attempt ended (RESULT).
    ResultCode in "result code" {
        /// The body is the result.
        Ok = 0, "ok";
        /// The handler reported an error; the body is its message.
        Failed = 1, "failed";
        /// The handler panicked or threw; the body is what it said.
        Panicked = 2, "panicked";
        /// The budget was used up before the handler started.
        Expired = 3, "expired";
        /// The worker hands the job back, not started.
        Returned = 4, "returned";
        /// The job was cancelled before it started, or the handler gave up because of the cancellation.
        Cancelled = 5, "cancelled";
        /// The result is larger than the limit announced in REGISTERED.
        TooLarge = 6, "too-large";
        /// The service index is not one that the worker registered.
        UnknownService = 7, "unknown-service";
        /// The worker ended the handler because it overran the worker's own time limit.
        Overrun = 8, "overrun";
    }
}

codes! {
    /// Why a message was refused (REJECTED).
    RejectReason in "reject reason" {
        /// The header's version is not spoken here.
        UnsupportedVersion = 1, "unsupported-version";
        /// The frames are not a valid message.
        Malformed = 2, "malformed";
        /// The session is unknown: register again.
        UnknownSession = 3, "unknown-session";
        /// The command is unknown, or does not go in this direction.
        UnknownCommand = 4, "unknown-command";
        /// REGISTER names something that is not allowed; the body says what.
        InvalidRegistration = 5, "invalid-registration";
        /// The master serves as many workers as it is set to.
        TooManyWorkers = 6, "too-many-workers";
        /// The master is draining and takes no new peers.
        Draining = 7, "draining";
        /// The body or metadata is larger than allowed.
        TooLarge = 8, "too-large";
        /// The master serves as many clients as it is set to.
        TooManyClients = 9, "too-many-clients";
    }
}

codes! {
    /// Why the master no longer wants the result of an attempt (CANCEL).
    CancelReason in "cancel reason" {
        /// The caller gave up or went away.
        Caller = 1, "caller";
        /// The job's deadline passed.
        Deadline = 2, "deadline";
        /// The attempt took too long and the job was given to another worker.
        Superseded = 3, "superseded";
        /// The job waits behind a laggy one and goes to another worker, unless it has started.
        Recalled = 4, "recalled";
    }
}

codes! {
    /// Why a session ends (DISCONNECT).
    DisconnectReason in "disconnect reason" {
        /// The sender shuts down in order.
        Shutdown = 1, "shutdown";
        /// The worker has drained.
        Drained = 2, "drained";
        /// Mail to the worker piled up beyond the bound.
        Overflow = 3, "overflow";
        /// The worker was silent for too long.
        Silent = 4, "silent";
    }
}

codes! {
    /// How a job ended for the client that submitted it (REPLY).
    OutcomeCode in "outcome code" {
        /// The body is the result.
        Ok = 0, "ok";
        /// The handler reported an error; the body is its message.
        Failed = 1, "failed";
        /// The handler panicked or threw; the body is what it said.
        Panicked = 2, "panicked";
        /// Too much work is waiting, at the master or of this client.
        Overloaded = 3, "overloaded";
        /// No worker offered the service before the deadline.
        NoWorkers = 4, "no-workers";
        /// The deadline passed.
        DeadlineExceeded = 5, "deadline-exceeded";
        /// The workers that had the job were lost, in every attempt allowed.
        WorkerLost = 6, "worker-lost";
        /// Every attempt allowed took longer than the attempt timeout.
        AttemptsTimedOut = 7, "attempts-timed-out";
        /// Workers died while this was the only job they had.
        Poison = 8, "poison";
        /// The payload is larger than the limit.
        PayloadTooLarge = 9, "payload-too-large";
        /// The metadata is larger than the limit.
        MetadataTooLarge = 10, "metadata-too-large";
        /// The result is larger than the limit.
        ResultTooLarge = 11, "result-too-large";
        /// The name of the service is not allowed.
        InvalidService = 12, "invalid-service";
        /// The worker ended the handler because it overran the worker's own time limit.
        Overrun = 13, "overrun";
        /// The handler gave up although nobody had cancelled the job.
        Abandoned = 14, "abandoned";
        /// The master is shutting down.
        ShuttingDown = 15, "shutting-down";
        /// The client withdrew the job.
        Withdrawn = 16, "withdrawn";
        /// The master that had the job was lost: sent by a master that passes jobs on to another.
        MasterLost = 17, "master-lost";
    }
}
