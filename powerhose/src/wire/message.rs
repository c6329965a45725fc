use bytes::Bytes;

use super::codes::{CancelReason, DisconnectReason, RejectReason, ResultCode};
use super::control::{self, Register, Registered, Rejection};
use super::envelope::{
    Encoded, Envelope, PayloadLimits, encode, issued, no_prefix, split, unknown,
};
use super::error::WireError;
use super::header::{Command, Header};
use super::limits::MAX_METADATA;

/// What a RESULT or CANCEL is about: one attempt of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobKey {
    /// The job.
    pub job: u64,
    /// The number of the attempt, from 1.
    pub attempt: u8,
}

/// A message from a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromWorker {
    /// Asks for a session, or to resume the one named (0: none).
    Register {
        /// The session to resume, or 0.
        session: u64,
        /// What the worker offers.
        register: Register,
    },
    /// Still here.
    Heartbeat {
        /// The worker's session.
        session: u64,
    },
    /// How an attempt ended.
    Result {
        /// The worker's session.
        session: u64,
        /// The attempt.
        key: JobKey,
        /// How it ended.
        code: ResultCode,
        /// How long the handler ran, in microseconds; 0 if it did not start.
        elapsed_us: u32,
        /// The result, or the message of the error.
        body: Bytes,
    },
    /// Send me no more jobs.
    Drain {
        /// The worker's session.
        session: u64,
    },
    /// The session is over.
    Disconnect {
        /// The worker's session.
        session: u64,
        /// Why.
        reason: DisconnectReason,
    },
}

/// A message to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToWorker {
    /// The session and its terms.
    Registered {
        /// The session issued or resumed.
        session: u64,
        /// The terms.
        terms: Registered,
    },
    /// Refused.
    Rejected {
        /// The session that the refused message named.
        session: u64,
        /// Why.
        reason: RejectReason,
        /// Details for a person.
        rejection: Rejection,
    },
    /// Still here.
    Heartbeat {
        /// The worker's session.
        session: u64,
    },
    /// Do this.
    Job {
        /// The worker's session.
        session: u64,
        /// The attempt.
        key: JobKey,
        /// The index of the service in the worker's REGISTER.
        service: u16,
        /// What is left of the job's time, in milliseconds; at least 1.
        budget_ms: u32,
        /// The payload.
        body: Bytes,
        /// Metadata for the worker, such as a trace context.
        metadata: Option<Bytes>,
    },
    /// The result of an attempt is no longer wanted.
    Cancel {
        /// The worker's session.
        session: u64,
        /// The attempt.
        key: JobKey,
        /// Why.
        reason: CancelReason,
    },
    /// Finish what you have and leave.
    Drain {
        /// The worker's session.
        session: u64,
    },
    /// The session is over.
    Disconnect {
        /// The worker's session.
        session: u64,
        /// Why.
        reason: DisconnectReason,
    },
}

fn limits(max_body: usize) -> PayloadLimits {
    PayloadLimits {
        body: max_body,
        metadata: MAX_METADATA,
    }
}

fn job_key(header: &Header) -> Result<JobKey, WireError> {
    if header.attempt == 0 {
        return Err(WireError::Field {
            field: "attempt",
            why: "attempts count from 1".into(),
        });
    }
    Ok(JobKey {
        job: header.job,
        attempt: header.attempt,
    })
}

impl FromWorker {
    /// The session that the message names.
    pub fn session(&self) -> u64 {
        match *self {
            Self::Register { session, .. }
            | Self::Heartbeat { session }
            | Self::Result { session, .. }
            | Self::Drain { session }
            | Self::Disconnect { session, .. } => session,
        }
    }

    /// Reads a message from the frames after the routing id, which are left empty. Bodies share the frames' memory.
    ///
    /// # Errors
    /// A [`WireError`] for anything that protocol.md does not allow. `max_body` limits the body of a job or a result, in
    /// bytes; the bodies of control commands have a limit of their own.
    pub fn decode(frames: &mut [Bytes], max_body: usize) -> Result<Self, WireError> {
        let Envelope { header, body, .. } = split(frames, limits(max_body))?;
        let session = header.session;
        Ok(match header.command {
            Command::Register => Self::Register {
                session,
                register: control::decode_register(&body)?,
            },
            Command::Heartbeat => Self::Heartbeat { session },
            Command::Result => Self::Result {
                session,
                key: job_key(&header)?,
                code: ResultCode::from_wire(header.code)?,
                elapsed_us: header.time,
                body,
            },
            Command::Drain => Self::Drain { session },
            Command::Disconnect => Self::Disconnect {
                session,
                reason: DisconnectReason::from_wire(header.code)?,
            },
            other => return Err(unknown(other)),
        })
    }

    /// Writes the message: the first frame to `first`, the others returned.
    pub fn encode(self, first: &mut Vec<u8>) -> Encoded {
        let (header, body) = match self {
            Self::Register { session, register } => (
                Header::new(Command::Register, session),
                control::encode(&register),
            ),
            Self::Heartbeat { session } => (Header::new(Command::Heartbeat, session), Bytes::new()),
            Self::Result {
                session,
                key,
                code,
                elapsed_us,
                body,
            } => {
                let header = Header {
                    attempt: key.attempt,
                    job: key.job,
                    time: elapsed_us,
                    code: code.to_wire(),
                    ..Header::new(Command::Result, session)
                };
                (header, body)
            }
            Self::Drain { session } => (Header::new(Command::Drain, session), Bytes::new()),
            Self::Disconnect { session, reason } => {
                let header = Header {
                    code: reason.to_wire(),
                    ..Header::new(Command::Disconnect, session)
                };
                (header, Bytes::new())
            }
        };
        encode(header, no_prefix, body, None, first)
    }
}

impl ToWorker {
    /// The session that the message names.
    pub fn session(&self) -> u64 {
        match *self {
            Self::Registered { session, .. }
            | Self::Rejected { session, .. }
            | Self::Heartbeat { session }
            | Self::Job { session, .. }
            | Self::Cancel { session, .. }
            | Self::Drain { session }
            | Self::Disconnect { session, .. } => session,
        }
    }

    /// Reads a message from the frames that a worker receives, which are left empty. Bodies share the frames' memory.
    ///
    /// # Errors
    /// A [`WireError`] for anything that protocol.md does not allow. `max_body` limits the body of a job or a result, in
    /// bytes; the bodies of control commands have a limit of their own.
    pub fn decode(frames: &mut [Bytes], max_body: usize) -> Result<Self, WireError> {
        let Envelope {
            header,
            body,
            metadata,
            ..
        } = split(frames, limits(max_body))?;
        let session = header.session;
        Ok(match header.command {
            Command::Registered => Self::Registered {
                session: issued(session)?,
                terms: control::decode_registered(&body)?,
            },
            Command::Rejected => Self::Rejected {
                session,
                reason: RejectReason::from_wire(header.code)?,
                rejection: control::decode_rejection(&body)?,
            },
            Command::Heartbeat => Self::Heartbeat { session },
            Command::Job => Self::Job {
                session,
                key: job_key(&header)?,
                service: header.service,
                budget_ms: header.time,
                body,
                metadata,
            },
            Command::Cancel => Self::Cancel {
                session,
                key: job_key(&header)?,
                reason: CancelReason::from_wire(header.code)?,
            },
            Command::Drain => Self::Drain { session },
            Command::Disconnect => Self::Disconnect {
                session,
                reason: DisconnectReason::from_wire(header.code)?,
            },
            other => return Err(unknown(other)),
        })
    }

    /// Writes the message: the first frame to `first`, the others returned.
    pub fn encode(self, first: &mut Vec<u8>) -> Encoded {
        let (header, body, metadata) = match self {
            Self::Registered { session, terms } => (
                Header::new(Command::Registered, session),
                control::encode(&terms),
                None,
            ),
            Self::Rejected {
                session,
                reason,
                rejection,
            } => {
                let header = Header {
                    code: reason.to_wire(),
                    ..Header::new(Command::Rejected, session)
                };
                (header, control::encode(&rejection), None)
            }
            Self::Heartbeat { session } => {
                (Header::new(Command::Heartbeat, session), Bytes::new(), None)
            }
            Self::Job {
                session,
                key,
                service,
                budget_ms,
                body,
                metadata,
            } => {
                let header = Header {
                    attempt: key.attempt,
                    job: key.job,
                    time: budget_ms,
                    service,
                    ..Header::new(Command::Job, session)
                };
                (header, body, metadata)
            }
            Self::Cancel {
                session,
                key,
                reason,
            } => {
                let header = Header {
                    attempt: key.attempt,
                    job: key.job,
                    code: reason.to_wire(),
                    ..Header::new(Command::Cancel, session)
                };
                (header, Bytes::new(), None)
            }
            Self::Drain { session } => (Header::new(Command::Drain, session), Bytes::new(), None),
            Self::Disconnect { session, reason } => {
                let header = Header {
                    code: reason.to_wire(),
                    ..Header::new(Command::Disconnect, session)
                };
                (header, Bytes::new(), None)
            }
        };
        encode(header, no_prefix, body, metadata, first)
    }
}
