//! [`JobRunner`]: a master inside a service, behind one call.

mod builder;
mod error;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use crate::driver::clock::Clock;
use crate::driver::inbox::Handover;
use crate::driver::master::inbox::{MasterInbox, Request};
use crate::driver::master::{Ended, Handle};
use crate::error::ExecuteError;
use crate::execute::{Execute, JobBuilder, Submitter};
use crate::master::{Stats, WorkerSnapshot};

pub use crate::driver::master::ShutdownReport;
pub use crate::driver::master::listen::StartError;
pub use builder::JobRunnerBuilder;
pub use error::WaitError;

/// Runs jobs on the workers that connect to it.
///
/// A runner is a master: it listens, workers in their own processes register with it, and [`execute`](Self::execute) gives each
/// job to the least loaded of them. It costs one thread, which owns the sockets. Clones share it; it needs no particular
/// executor, and none at all for the calls named `..._blocking`.
///
/// When the last clone is dropped the thread fails what is under way and ends, without anyone waiting for it. Call
/// [`shutdown`](Self::shutdown) to end in order.
///
/// Starting a runner raises the process's soft limit of open files to the hard one: each worker's connection needs a descriptor.
///
/// ```
/// use std::time::Duration;
/// use powerhose::{JobRunner, Worker};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let directory = tempfile::tempdir()?;
/// let runner = JobRunner::bind(format!("ipc://{}/jobs", directory.path().display()))?;
///
/// // A worker, here in a thread; in earnest it is a program of its own.
/// let worker = Worker::builder()
///     .connect(&runner.endpoints()[0])
///     .handler(|job| Ok(job.body().to_ascii_uppercase().into()))
///     .handle_signals(false);
/// let worker = std::thread::spawn(|| worker.run());
///
/// assert_eq!(runner.execute("hello").await?, "HELLO");
///
/// runner.shutdown(Duration::from_secs(5)).await;
/// # drop(worker);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct JobRunner {
    inner: Arc<Inner>,
}

struct Inner {
    inbox: Arc<MasterInbox>,
    clock: Clock,
    ended: watch::Receiver<Option<Ended>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    endpoints: Vec<String>,
    submitter: Submitter,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.inbox.request(Request::Shutdown(self.clock.now()));
    }
}

impl JobRunner {
    /// Listens at an endpoint, `ipc:///path/of/socket` or `tcp://127.0.0.1:port`, with every setting at its default.
    ///
    /// # Errors
    /// [`StartError`], whose message names what is to be changed: an address that makes no sense, a path that another process
    /// listens at.
    ///
    /// ```
    /// let directory = tempfile::tempdir()?;
    /// let endpoint = format!("ipc://{}/jobs", directory.path().display());
    /// let runner = powerhose::JobRunner::bind(&endpoint)?;
    /// let second = powerhose::JobRunner::bind(&endpoint).unwrap_err();
    /// assert!(second.to_string().contains("is in use"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bind(endpoint: impl Into<String>) -> Result<Self, StartError> {
        Self::builder().bind(endpoint).start()
    }

    /// Settings to start a runner with.
    pub fn builder() -> JobRunnerBuilder {
        JobRunnerBuilder::default()
    }

    fn new(handle: Handle, endpoints: Vec<String>, default_timeout: Duration) -> Self {
        let inbox: Arc<dyn Handover> = Arc::<MasterInbox>::clone(&handle.inbox);
        let submitter = Submitter::new(inbox, handle.clock, default_timeout);
        Self {
            inner: Arc::new(Inner {
                inbox: handle.inbox,
                clock: handle.clock,
                ended: handle.ended,
                thread: Mutex::new(Some(handle.thread)),
                endpoints,
                submitter,
            }),
        }
    }

    /// Where workers connect to, in the order in which the endpoints were named. A port given as `*` is the one chosen.
    pub fn endpoints(&self) -> &[String] {
        &self.inner.endpoints
    }

    /// Has a worker of the default service do a job, with the default timeout (30 s unless set otherwise), and returns its result.
    ///
    /// Dropping the future takes the job back: it is not started if it was not yet, and a handler that works on it is told.
    ///
    /// # Errors
    /// [`ExecuteError`]. Every job has exactly one outcome.
    pub async fn execute(&self, body: impl Into<Bytes>) -> Result<Bytes, ExecuteError> {
        self.job(body).execute().await
    }

    /// A job with settings of its own.
    ///
    /// ```no_run
    /// # async fn example(runner: powerhose::JobRunner) -> Result<(), powerhose::ExecuteError> {
    /// use std::time::Duration;
    ///
    /// let reply = runner
    ///     .job("opaque bytes")
    ///     .service("verify")
    ///     .timeout(Duration::from_secs(2))
    ///     .execute()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn job(&self, body: impl Into<Bytes>) -> JobBuilder<'_> {
        JobBuilder::new(&self.inner.submitter, body.into())
    }

    /// The workers that hold a session, in no particular order; none once the runner has shut down.
    pub async fn workers(&self) -> Vec<WorkerSnapshot> {
        let (reply, answer) = oneshot::channel();
        self.inner.inbox.request(Request::Workers(reply));
        answer.await.unwrap_or_default()
    }

    /// Everything counted and measured so far, as of the end once the runner has shut down.
    pub async fn stats(&self) -> Stats {
        let (reply, answer) = oneshot::channel();
        self.inner.inbox.request(Request::Stats(reply));
        match answer.await {
            Ok(stats) => *stats,
            Err(_) => self.inner.end().await.stats,
        }
    }

    /// Waits until `count` workers are registered and take work.
    ///
    /// # Errors
    /// [`WaitError::TimedOut`] with the number of workers there are when the time is over, [`WaitError::ShutDown`] when
    /// the runner ends before.
    pub async fn wait_for_workers(&self, count: usize, timeout: Duration) -> Result<(), WaitError> {
        WaitError::from_answer(self.await_workers(count, timeout).await.ok(), count)
    }

    /// Like [`wait_for_workers`](Self::wait_for_workers) for callers outside an executor.
    ///
    /// # Errors
    /// The same.
    ///
    /// # Panics
    /// When it is called inside a tokio runtime, whose thread it would block.
    pub fn wait_for_workers_blocking(
        &self,
        count: usize,
        timeout: Duration,
    ) -> Result<(), WaitError> {
        let answer = self.await_workers(count, timeout).blocking_recv();
        WaitError::from_answer(answer.ok(), count)
    }

    fn await_workers(
        &self,
        count: usize,
        timeout: Duration,
    ) -> oneshot::Receiver<Result<(), usize>> {
        let (reply, answer) = oneshot::channel();
        self.inner.inbox.request(Request::Await {
            count,
            deadline: self.inner.clock.now() + timeout,
            reply,
        });
        answer
    }

    /// Tells that a process of this host exited, known by its process id. If it was a worker, its jobs go to others at once.
    ///
    /// Without it the loss is noticed by the broken connection, a few milliseconds later. Whoever supervises the workers, such as
    /// [`Workers`](crate::Workers), knows it first.
    pub fn exited(&self, pid: u32) {
        self.inner.inbox.request(Request::Exited(pid));
    }

    /// Ends in order: refuses new jobs as [`ShuttingDown`](ExecuteError::ShuttingDown), finishes those under way, tells the
    /// workers, closes the sockets and ends the thread. What is not done when `grace` is over fails as `ShuttingDown`.
    ///
    /// May be called more than once and from several clones: all wait for the same end, and the shortest grace counts. Dropping
    /// the future does not call it off.
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        self.inner.request_shutdown(grace);
        let report = self.inner.end().await.report;
        self.inner.join();
        report
    }

    /// Like [`shutdown`](Self::shutdown) for callers outside an executor.
    pub fn shutdown_blocking(&self, grace: Duration) -> ShutdownReport {
        self.inner.request_shutdown(grace);
        self.inner.join();
        let ended = self.inner.ended.borrow();
        ended.as_ref().map(|end| end.report).unwrap_or_default()
    }
}

impl Inner {
    fn request_shutdown(&self, grace: Duration) {
        let stop_at = self.clock.now() + grace;
        self.inbox.request(Request::Shutdown(stop_at));
    }

    /// How the thread ended, once it has closed everything.
    async fn end(&self) -> Ended {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or_default(),
            // The thread panicked, and has said so.
            Err(_) => Ended::default(),
        }
    }

    /// Waits for the thread, also if another call does the same.
    fn join(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // An error is a panic, which has been reported where it happened.
            let _ = thread.join();
        }
    }
}

impl Execute for JobRunner {
    fn job(&self, body: Bytes) -> JobBuilder<'_> {
        self.job(body)
    }

    fn shutdown(
        &self,
        grace: Duration,
    ) -> Pin<Box<dyn Future<Output = ShutdownReport> + Send + '_>> {
        Box::pin(self.shutdown(grace))
    }
}

impl fmt::Debug for JobRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobRunner")
            .field("endpoints", &self.inner.endpoints)
            .finish_non_exhaustive()
    }
}
