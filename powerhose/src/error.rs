//! How a job can fail, as its caller sees it.

use std::time::Duration;

use bytes::Bytes;

/// Whose fault a failure is: who has to change something so that it does not happen again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller asked for something that cannot be done.
    Caller,
    /// The worker's handler failed.
    Worker,
    /// Too few workers, or limits set too low: whoever runs the service.
    Operator,
}

/// Whether the job's work may have been done in spite of the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Started {
    /// No handler saw the job; repeating it is safe whatever it does.
    No,
    /// A handler may have run, in part or to its end.
    Maybe,
    /// A handler ran and reported the failure itself.
    Finished,
}

/// Why a job gave no result.
///
/// Every job has exactly one outcome: its bytes or one of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// Too much work is waiting; the job was refused at once.
    #[error("overloaded: too much work is waiting, try again in {retry_after:?}")]
    Overloaded {
        /// When the work waiting now is likely to be done.
        retry_after: Duration,
    },
    /// No worker offered the service before the job's deadline.
    #[error("no worker offers the service {service:?}")]
    NoWorkers {
        /// The service that the job named; the default one is the empty name.
        service: String,
    },
    /// The deadline passed.
    #[error("the deadline passed {}", match .started {
        Started::No => "before the job started",
        _ => "while the job was at a worker",
    })]
    DeadlineExceeded {
        /// Whether the job was at a worker by then.
        started: Started,
    },
    /// The workers that had the job were lost, as often as the job may be tried.
    #[error("the worker was lost in attempt {attempts}, the last one allowed")]
    WorkerLost {
        /// The attempts made.
        attempts: u8,
    },
    /// Every attempt that the job may have took longer than the attempt timeout.
    #[error("attempt {attempts}, the last one allowed, took longer than the attempt timeout")]
    AttemptsTimedOut {
        /// The attempts made.
        attempts: u8,
    },
    /// Two workers died while this was the only job they had: it is not given to a third.
    #[error(
        "the job is suspected of killing its workers: {deaths} died while it was alone with them"
    )]
    Poison {
        /// The workers that died while alone with the job.
        deaths: u8,
    },
    /// The handler reported an error.
    #[error("the handler failed: {}", String::from_utf8_lossy(.message))]
    Failed {
        /// What the handler said.
        message: Bytes,
    },
    /// The handler panicked, or threw; the worker lives on.
    #[error("the handler panicked: {}", String::from_utf8_lossy(.message))]
    Panicked {
        /// What the panic said.
        message: Bytes,
    },
    /// The payload or the result is larger than the limit.
    #[error("the {what} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// `payload`, `metadata` or `result`.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// The name of the service is not allowed.
    #[error(
        "{service:?} cannot be the name of a service: at most 64 letters, digits, dots, dashes and underscores"
    )]
    InvalidService {
        /// The name.
        service: String,
    },
    /// The worker ended the handler because it overran the worker's own time limit.
    #[error("the worker ended the handler, which overran its time limit")]
    Overrun,
    /// The handler gave up before the caller did.
    #[error("the handler gave up, although nobody had cancelled the job")]
    Abandoned,
    /// The master is shutting down.
    #[error("shutting down")]
    ShuttingDown {
        /// Whether the job was at a worker by then.
        started: Started,
    },
    /// No standalone master could be reached, or the one that had the job was lost and the job may not be started twice.
    #[error("{}", match .started {
        Started::No => "no master could be reached before the deadline",
        _ => "the master was lost while it had the job",
    })]
    MasterLost {
        /// Whether the job was at a master, and so maybe at a worker.
        started: Started,
    },
}

impl ExecuteError {
    /// A stable code for metrics, logs and other languages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Overloaded { .. } => "overloaded",
            Self::NoWorkers { .. } => "no-workers",
            Self::DeadlineExceeded { .. } => "deadline-exceeded",
            Self::WorkerLost { .. } => "worker-lost",
            Self::AttemptsTimedOut { .. } => "attempts-timed-out",
            Self::Poison { .. } => "poison",
            Self::Failed { .. } => "failed",
            Self::Panicked { .. } => "panicked",
            Self::TooLarge { .. } => "too-large",
            Self::InvalidService { .. } => "invalid-service",
            Self::Overrun => "overrun",
            Self::Abandoned => "abandoned",
            Self::ShuttingDown { .. } => "shutting-down",
            Self::MasterLost { .. } => "master-lost",
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::TooLarge {
                what: "payload" | "metadata",
                ..
            }
            | Self::InvalidService { .. } => Fault::Caller,
            Self::Poison { .. }
            | Self::Failed { .. }
            | Self::Panicked { .. }
            | Self::TooLarge { .. }
            | Self::AttemptsTimedOut { .. }
            | Self::Overrun
            | Self::Abandoned => Fault::Worker,
            Self::Overloaded { .. }
            | Self::NoWorkers { .. }
            | Self::DeadlineExceeded { .. }
            | Self::WorkerLost { .. }
            | Self::ShuttingDown { .. }
            | Self::MasterLost { .. } => Fault::Operator,
        }
    }

    /// Whether the work may have been done.
    pub fn started(&self) -> Started {
        match self {
            Self::Overloaded { .. } | Self::NoWorkers { .. } | Self::InvalidService { .. } => {
                Started::No
            }
            Self::TooLarge {
                what: "payload" | "metadata",
                ..
            } => Started::No,
            Self::DeadlineExceeded { started }
            | Self::ShuttingDown { started }
            | Self::MasterLost { started } => *started,
            Self::WorkerLost { .. }
            | Self::AttemptsTimedOut { .. }
            | Self::Poison { .. }
            | Self::Overrun => Started::Maybe,
            Self::Failed { .. }
            | Self::Panicked { .. }
            | Self::TooLarge { .. }
            | Self::Abandoned => Started::Finished,
        }
    }

    /// Whether the same job may well succeed later. Says nothing about whether repeating it is safe: see
    /// [`started`](Self::started).
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Overloaded { .. }
                | Self::NoWorkers { .. }
                | Self::DeadlineExceeded { .. }
                | Self::WorkerLost { .. }
                | Self::AttemptsTimedOut { .. }
                | Self::ShuttingDown { .. }
                | Self::MasterLost { .. }
        )
    }

    /// When to try again, where the master can tell.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}
