//! What [`JobRunner`](crate::JobRunner) and [`Client`](crate::Client) have in common: the way in for a job.

mod job;
mod pending;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::driver::clock::Clock;
use crate::driver::inbox::Handover;
use crate::driver::master::ShutdownReport;

pub use job::JobBuilder;

/// How long a job may take if nothing else is said.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Has jobs done, by workers of its own or through a standalone master.
///
/// A service that holds an `Arc<dyn Execute>` need not know which of the two its configuration chose.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use powerhose::{Client, Execute, JobRunner};
///
/// # fn example(standalone: Option<String>, private: String) -> Result<(), powerhose::StartError> {
/// let jobs: Arc<dyn Execute> = match standalone {
///     Some(endpoint) => Arc::new(Client::connect(endpoint)?),
///     None => Arc::new(JobRunner::bind(private)?),
/// };
/// let square = jobs.job("12".into()).service("square").timeout(Duration::from_secs(2));
/// # drop(square);
/// # Ok(())
/// # }
/// ```
pub trait Execute: Send + Sync {
    /// A job, to be given settings and executed.
    fn job(&self, body: Bytes) -> JobBuilder<'_>;

    /// Ends in order: refuses new jobs, finishes those under way for as long as `grace`, and closes everything.
    fn shutdown(
        &self,
        grace: Duration,
    ) -> Pin<Box<dyn Future<Output = ShutdownReport> + Send + '_>>;
}

/// Where jobs are handed over.
pub(crate) struct Submitter {
    inbox: Arc<dyn Handover>,
    clock: Clock,
    default_service: Arc<str>,
    default_timeout: Duration,
}

impl Submitter {
    pub(crate) fn new(inbox: Arc<dyn Handover>, clock: Clock, default_timeout: Duration) -> Self {
        Self {
            inbox,
            clock,
            default_service: Arc::from(""),
            default_timeout,
        }
    }
}
