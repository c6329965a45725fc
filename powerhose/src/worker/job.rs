use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::session::Assignment;
use crate::driver::clock::Clock;
use crate::time::Time;
use crate::wire::ResultCode;

/// A job in the hands of a handler.
pub struct Job {
    assignment: Assignment,
    origin: Origin,
}

/// Where a job runs.
pub(super) struct Origin {
    pub(super) slot: Arc<Slot>,
    /// The number of the job among those of its slot.
    pub(super) run: u64,
    pub(super) clock: Clock,
}

/// What the jobs of one slot share.
pub(super) struct Slot {
    services: Arc<[String]>,
    /// The latest job of the slot that was cancelled. Jobs before it have ended.
    cancelled: AtomicU64,
}

impl Slot {
    pub(super) fn new(services: Arc<[String]>) -> Self {
        Self {
            services,
            cancelled: AtomicU64::new(0),
        }
    }

    pub(super) fn cancel(&self, run: u64) {
        self.cancelled.store(run, Ordering::Relaxed);
    }

    fn is_cancelled(&self, run: u64) -> bool {
        self.cancelled.load(Ordering::Relaxed) >= run
    }
}

impl Job {
    pub(super) fn new(assignment: Assignment, origin: Origin) -> Self {
        Self { assignment, origin }
    }

    /// The payload, as the caller gave it.
    pub fn body(&self) -> &Bytes {
        &self.assignment.body
    }

    /// The payload, to keep.
    pub fn into_body(self) -> Bytes {
        self.assignment.body
    }

    /// The service that the caller asked for; empty for the default one. It is one of those that the worker registered.
    pub fn service(&self) -> &str {
        // The session refuses other indexes.
        (self.origin.slot.services)
            .get(usize::from(self.assignment.service))
            .map_or("", String::as_str)
    }

    /// What travels beside the payload, such as a W3C `traceparent`.
    pub fn metadata(&self) -> Option<&Bytes> {
        self.assignment.metadata.as_ref()
    }

    /// Which attempt this is, from 1. A higher one means that workers were lost with this job, or were too slow.
    pub fn attempt(&self) -> u8 {
        self.assignment.key.attempt
    }

    /// How long the caller will still wait; zero once it has given up.
    pub fn remaining(&self) -> Duration {
        self.assignment.deadline - self.origin.clock.now()
    }

    /// Whether nobody wants the result any more: the caller went away, its time is over, another worker was faster, the master is
    /// gone for good. A handler that takes long asks now and then, and gives up with [`JobError::cancelled`].
    pub fn is_cancelled(&self) -> bool {
        let Origin { slot, run, .. } = &self.origin;
        slot.is_cancelled(*run) || self.remaining().is_zero()
    }

    /// What to answer instead of starting, if nobody wants the result any more.
    pub(super) fn obstacle(&self, now: Time) -> Option<ResultCode> {
        if self.origin.slot.is_cancelled(self.origin.run) {
            Some(ResultCode::Cancelled)
        } else if self.assignment.deadline <= now {
            Some(ResultCode::Expired)
        } else {
            None
        }
    }
}

/// Without payload and metadata: they are none of the log's business.
impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("service", &self.service())
            .field("job", &self.assignment.key.job)
            .field("attempt", &self.attempt())
            .field("bytes", &self.body().len())
            .finish_non_exhaustive()
    }
}

/// How a handler says that it failed.
///
/// Any error turns into one with `?`; its text becomes the message. That is why this is no [`std::error::Error`] itself.
///
/// ```
/// use powerhose::{Bytes, Job, JobError};
///
/// fn square(job: Job) -> Result<Bytes, JobError> {
///     let number: u32 = std::str::from_utf8(job.body())?.parse()?;
///     let square = number.checked_mul(number).ok_or(JobError::new("too large"))?;
///     Ok(square.to_string().into())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobError {
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Failed(Bytes),
    Panicked(Bytes),
    Overrun,
    Cancelled,
}

impl JobError {
    /// A failure. The message, which need not be text, reaches the caller as
    /// [`ExecuteError::Failed`](crate::ExecuteError::Failed). The job is not tried again.
    pub fn new(message: impl Into<Bytes>) -> Self {
        Self {
            kind: Kind::Failed(message.into()),
        }
    }

    /// What did the work broke down over it, a child process that crashed for one. The message reaches the caller as
    /// [`ExecuteError::Panicked`](crate::ExecuteError::Panicked), as that of a handler that panics. The job is not tried again.
    pub fn panicked(message: impl Into<Bytes>) -> Self {
        Self {
            kind: Kind::Panicked(message.into()),
        }
    }

    /// The worker's own time limit ended the work. The caller gets [`ExecuteError::Overrun`](crate::ExecuteError::Overrun). The
    /// job is not tried again.
    pub fn overrun() -> Self {
        Self {
            kind: Kind::Overrun,
        }
    }

    /// The handler gave up because [`Job::is_cancelled`] told it so. Where it was not told so, the caller gets
    /// [`ExecuteError::Abandoned`](crate::ExecuteError::Abandoned).
    pub fn cancelled() -> Self {
        Self {
            kind: Kind::Cancelled,
        }
    }
}

impl<E: std::error::Error> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}
