use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::Submitter;
use super::pending::Pending;
use crate::driver::inbox::Refused;
use crate::error::{ExecuteError, Started};
use crate::master::NewJob;
use crate::wire::limits::{MAX_ATTEMPTS, MAX_METADATA};

/// When to try again after the handover was full. The thread takes everything in it within milliseconds.
const HANDOVER_RETRY: Duration = Duration::from_millis(10);

/// A job and its settings; made by [`JobRunner::job`](crate::JobRunner::job), [`Client::job`](crate::Client::job) or
/// [`Execute::job`](super::Execute::job).
#[must_use = "a job does nothing before `execute`"]
pub struct JobBuilder<'runner> {
    submitter: &'runner Submitter,
    body: Bytes,
    service: Arc<str>,
    metadata: Option<Bytes>,
    timeout: Duration,
    attempt_timeout: Option<Duration>,
    attempts: u8,
    at_most_once: bool,
}

impl<'runner> JobBuilder<'runner> {
    pub(crate) fn new(submitter: &'runner Submitter, body: Bytes) -> Self {
        Self {
            submitter,
            body,
            service: Arc::clone(&submitter.default_service),
            metadata: None,
            timeout: submitter.default_timeout,
            attempt_timeout: None,
            attempts: MAX_ATTEMPTS,
            at_most_once: false,
        }
    }

    /// The service that must do it. Default: the empty name, which every worker offers that names none. Hold on to an `Arc<str>` to
    /// spare an allocation for each job.
    pub fn service(mut self, name: impl Into<Arc<str>>) -> Self {
        self.service = name.into();
        self
    }

    /// How long the job may take in all: waiting, on the way, at work and in further attempts. Default 30 s, unless the runner or
    /// client is set otherwise. A worker learns what is left of it and does not start what is too late.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long one attempt may take before the job is given to another worker, as far as its attempts go. Default: as long as the
    /// job has. The worker left behind gets no further jobs until it answers.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// How often the job may be given to another worker after one was lost or too slow. Default and maximum 2, which makes 3
    /// attempts; more counts as 2.
    pub fn retries(mut self, retries: u8) -> Self {
        self.attempts = retries.saturating_add(1).min(MAX_ATTEMPTS);
        self
    }

    /// The job must not be started twice, whatever happens to its worker: no retries, and it is never sent ahead behind another
    /// job. Default: jobs are taken to be pure and may be repeated.
    pub fn at_most_once(mut self) -> Self {
        self.at_most_once = true;
        self
    }

    /// Metadata that travels beside the payload, such as a W3C trace context; at most 8 KiB. Default none.
    pub fn metadata(mut self, metadata: impl Into<Bytes>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// Has a worker do the job and returns its result. The time begins when the future is first polled.
    ///
    /// Dropping the future takes the job back: it is not started if it was not yet, and a handler that works on it is told.
    ///
    /// # Errors
    /// [`ExecuteError`]. Every job has exactly one outcome:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), powerhose::StartError> {
    /// use std::time::Duration;
    /// use powerhose::{ExecuteError, JobRunner};
    ///
    /// let runner = JobRunner::bind("tcp://127.0.0.1:*")?;
    /// let lonely = runner.job("hello").timeout(Duration::from_millis(10)).execute().await;
    /// assert!(matches!(lonely, Err(ExecuteError::NoWorkers { .. })));
    /// # Ok(()) }
    /// ```
    pub async fn execute(self) -> Result<Bytes, ExecuteError> {
        self.submit()?.await
    }

    /// Like [`execute`](Self::execute) for callers outside an executor.
    ///
    /// # Errors
    /// The same.
    ///
    /// # Panics
    /// When it is called inside a tokio runtime, whose thread it would block.
    pub fn execute_blocking(self) -> Result<Bytes, ExecuteError> {
        self.submit()?.wait()
    }

    fn submit(self) -> Result<Pending<'runner>, ExecuteError> {
        if self
            .metadata
            .as_ref()
            .is_some_and(|metadata| metadata.len() > MAX_METADATA)
        {
            return Err(ExecuteError::TooLarge {
                what: "metadata",
                limit: MAX_METADATA,
            });
        }
        let (reply, outcome) = oneshot::channel();
        let job = NewJob {
            service: self.service,
            body: self.body,
            metadata: self.metadata,
            deadline: self.submitter.clock.now() + self.timeout,
            attempt_timeout: self.attempt_timeout,
            attempts: self.attempts,
            at_most_once: self.at_most_once,
            client: 0,
        };
        match self.submitter.inbox.submit(job, reply) {
            Ok(ticket) => Ok(Pending::new(&*self.submitter.inbox, ticket, outcome)),
            Err(Refused::Full) => Err(ExecuteError::Overloaded {
                retry_after: HANDOVER_RETRY,
            }),
            Err(Refused::Closed) => Err(ExecuteError::ShuttingDown {
                started: Started::No,
            }),
        }
    }
}
