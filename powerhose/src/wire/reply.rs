//! REPLY: the outcome of a job, as its caller sees it.

use std::time::Duration;

use bytes::Bytes;

use super::codes::OutcomeCode;
use super::error::WireError;
use super::header::{Command, Header};
use crate::error::{ExecuteError, Started};

/// The outcome of a job on its way to the client; protocol.md, section "REPLY".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The client's number for the job.
    pub sequence: u64,
    /// How it ended.
    pub code: OutcomeCode,
    /// Whether the work may have been done.
    pub started: Started,
    /// The attempts made, where the code has them; for poison the deaths. Else 0.
    pub attempts: u8,
    /// When to try again, in milliseconds, or a limit in bytes, as the code says. Else 0.
    pub detail: u32,
    /// The result, or the message of the handler's error.
    pub body: Bytes,
}

impl Reply {
    /// The reply that carries an outcome.
    pub fn new(sequence: u64, outcome: Result<Bytes, ExecuteError>) -> Self {
        let started = match &outcome {
            Ok(_) => Started::Finished,
            Err(error) => error.started(),
        };
        let mut reply = Self {
            sequence,
            code: OutcomeCode::Ok,
            started,
            attempts: 0,
            detail: 0,
            body: Bytes::new(),
        };
        let error = match outcome {
            Ok(body) => {
                reply.body = body;
                return reply;
            }
            Err(error) => error,
        };
        reply.code = match error {
            ExecuteError::Overloaded { retry_after } => {
                reply.detail = u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX);
                OutcomeCode::Overloaded
            }
            ExecuteError::NoWorkers { .. } => OutcomeCode::NoWorkers,
            ExecuteError::DeadlineExceeded { .. } => OutcomeCode::DeadlineExceeded,
            ExecuteError::WorkerLost { attempts } => {
                reply.attempts = attempts;
                OutcomeCode::WorkerLost
            }
            ExecuteError::AttemptsTimedOut { attempts } => {
                reply.attempts = attempts;
                OutcomeCode::AttemptsTimedOut
            }
            ExecuteError::Poison { deaths } => {
                reply.attempts = deaths;
                OutcomeCode::Poison
            }
            ExecuteError::Failed { message } => {
                reply.body = message;
                OutcomeCode::Failed
            }
            ExecuteError::Panicked { message } => {
                reply.body = message;
                OutcomeCode::Panicked
            }
            ExecuteError::TooLarge { what, limit } => {
                reply.detail = u32::try_from(limit).unwrap_or(u32::MAX);
                match what {
                    "payload" => OutcomeCode::PayloadTooLarge,
                    "metadata" => OutcomeCode::MetadataTooLarge,
                    _ => OutcomeCode::ResultTooLarge,
                }
            }
            ExecuteError::InvalidService { .. } => OutcomeCode::InvalidService,
            ExecuteError::Overrun => OutcomeCode::Overrun,
            ExecuteError::Abandoned => OutcomeCode::Abandoned,
            ExecuteError::ShuttingDown { .. } => OutcomeCode::ShuttingDown,
            ExecuteError::MasterLost { .. } => OutcomeCode::MasterLost,
        };
        reply
    }

    /// The outcome that the reply carries. `service` is what the job named.
    ///
    /// # Errors
    /// Whatever the job failed with.
    pub fn into_outcome(self, service: &str) -> Result<Bytes, ExecuteError> {
        let Self {
            started,
            attempts,
            detail,
            body,
            ..
        } = self;
        let too_large = |what| ExecuteError::TooLarge {
            what,
            limit: usize::try_from(detail).unwrap_or(usize::MAX),
        };
        Err(match self.code {
            OutcomeCode::Ok => return Ok(body),
            OutcomeCode::Failed => ExecuteError::Failed { message: body },
            OutcomeCode::Panicked => ExecuteError::Panicked { message: body },
            OutcomeCode::Overloaded => ExecuteError::Overloaded {
                retry_after: Duration::from_millis(detail.into()),
            },
            OutcomeCode::NoWorkers => ExecuteError::NoWorkers {
                service: service.to_owned(),
            },
            OutcomeCode::DeadlineExceeded => ExecuteError::DeadlineExceeded { started },
            OutcomeCode::WorkerLost => ExecuteError::WorkerLost { attempts },
            OutcomeCode::AttemptsTimedOut => ExecuteError::AttemptsTimedOut { attempts },
            OutcomeCode::Poison => ExecuteError::Poison { deaths: attempts },
            OutcomeCode::PayloadTooLarge => too_large("payload"),
            OutcomeCode::MetadataTooLarge => too_large("metadata"),
            OutcomeCode::ResultTooLarge => too_large("result"),
            OutcomeCode::InvalidService => ExecuteError::InvalidService {
                service: service.to_owned(),
            },
            OutcomeCode::Overrun => ExecuteError::Overrun,
            OutcomeCode::Abandoned | OutcomeCode::Withdrawn => ExecuteError::Abandoned,
            OutcomeCode::ShuttingDown => ExecuteError::ShuttingDown { started },
            OutcomeCode::MasterLost => ExecuteError::MasterLost { started },
        })
    }

    pub(super) fn header(&self, session: u64) -> Header {
        Header {
            attempt: self.attempts,
            time: self.detail,
            job: self.sequence,
            service: match self.started {
                Started::No => 0,
                Started::Maybe => 1,
                Started::Finished => 2,
            },
            code: self.code.to_wire(),
            ..Header::new(Command::Reply, session)
        }
    }

    pub(super) fn decode(header: &Header, body: Bytes) -> Result<Self, WireError> {
        let started = match header.service {
            0 => Started::No,
            1 => Started::Maybe,
            2 => Started::Finished,
            other => {
                return Err(WireError::Field {
                    field: "service",
                    why: format!("{other} does not say whether the job was started"),
                });
            }
        };
        Ok(Self {
            sequence: header.job,
            code: OutcomeCode::from_wire(header.code)?,
            started,
            attempts: header.attempt,
            detail: header.time,
            body,
        })
    }
}
