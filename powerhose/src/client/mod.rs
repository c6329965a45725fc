//! [`Client`]: jobs for the workers of a standalone master.

mod builder;
mod core;
mod thread;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use self::thread::{ClientInbox, Handle, Masters, Request};
use crate::driver::clock::Clock;
use crate::driver::inbox::Handover;
use crate::driver::master::ShutdownReport;
use crate::driver::master::listen::StartError;
use crate::error::{ExecuteError, Started};
use crate::execute::{Execute, JobBuilder, Submitter};

pub use builder::ClientBuilder;

/// Has jobs done by the workers of a standalone master, `powerhose master`.
///
/// It does what a [`JobRunner`](crate::JobRunner) does, only that the queue and the workers are elsewhere and may be shared by many
/// services. One connection carries any number of jobs. A connection that breaks is made again, and the jobs under way go on; when
/// the master itself is lost, jobs go to the next one, or to the same one once it is back, as far as they may be started twice.
///
/// It costs one thread, which owns the sockets. Clones share it. A process that forks must make its client after it: the
/// thread does not survive in the child, where jobs would wait for their deadlines.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use powerhose::Client;
///
/// let client = Client::connect("ipc:///run/powerhose/frontend")?;
/// let reply = client.job("12").service("square").timeout(Duration::from_secs(2)).execute().await?;
/// client.close(Duration::from_secs(5)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    inbox: Arc<ClientInbox>,
    clock: Clock,
    endpoints: Vec<String>,
    masters: watch::Receiver<Masters>,
    ended: watch::Receiver<Option<ShutdownReport>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    submitter: Submitter,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.inbox.request(Request::Close(self.clock.now()));
    }
}

impl Client {
    /// A client of one master, with every setting at its default. It connects by itself, and jobs wait for it to succeed.
    ///
    /// # Errors
    /// [`StartError`] if the endpoint makes no sense, or the system has no thread or descriptors to spare.
    pub fn connect(endpoint: impl Into<String>) -> Result<Self, StartError> {
        Self::builder().connect(endpoint).start()
    }

    /// Settings to start a client with.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    fn new(handle: Handle, endpoints: Vec<String>, default_timeout: Duration) -> Self {
        let inbox: Arc<dyn Handover> = Arc::<ClientInbox>::clone(&handle.inbox);
        Self {
            inner: Arc::new(Inner {
                submitter: Submitter::new(inbox, handle.clock, default_timeout),
                inbox: handle.inbox,
                clock: handle.clock,
                endpoints,
                masters: handle.masters,
                ended: handle.ended,
                thread: Mutex::new(Some(handle.thread)),
            }),
        }
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

    /// Like [`execute`](Self::execute) for callers outside an executor.
    ///
    /// # Errors
    /// The same.
    ///
    /// # Panics
    /// When it is called inside a tokio runtime, whose thread it would block.
    pub fn execute_blocking(&self, body: impl Into<Bytes>) -> Result<Bytes, ExecuteError> {
        self.job(body).execute_blocking()
    }

    /// A job with settings of its own.
    pub fn job(&self, body: impl Into<Bytes>) -> JobBuilder<'_> {
        JobBuilder::new(&self.inner.submitter, body.into())
    }

    /// The masters, in order of preference, as they were named.
    pub fn endpoints(&self) -> &[String] {
        &self.inner.endpoints
    }

    /// The master that jobs go to at present, by its endpoint. `None` while none can be reached: jobs wait for one then, each until
    /// its own deadline.
    pub fn master(&self) -> Option<&str> {
        let serving = self.inner.masters.borrow().serving?;
        Some(self.inner.endpoints.get(serving)?)
    }

    /// How often the master was lost, or left, and no other one was there to go to at once.
    pub fn masters_lost(&self) -> u64 {
        self.inner.masters.borrow().losses
    }

    /// Waits until there is a master to give jobs to, however long that takes: put a time limit of your executor's around it.
    ///
    /// # Errors
    /// [`ExecuteError::ShuttingDown`] if the client ends before.
    pub async fn master_reached(&self) -> Result<(), ExecuteError> {
        let mut masters = self.inner.masters.clone();
        let started = Started::No;
        let reached = masters.wait_for(|masters| masters.serving.is_some()).await;
        reached.map_err(|_| ExecuteError::ShuttingDown { started })?;
        Ok(())
    }

    /// Ends in order: refuses new jobs as [`ShuttingDown`](ExecuteError::ShuttingDown), waits for those under way, takes leave of the
    /// master and ends the thread. What is not done when `grace` is over is taken back and fails as `ShuttingDown`.
    pub async fn close(&self, grace: Duration) -> ShutdownReport {
        self.inner.request_close(grace);
        let mut ended = self.inner.ended.clone();
        let report = match ended.wait_for(Option::is_some).await {
            Ok(report) => report.unwrap_or_default(),
            // The thread panicked, and has said so.
            Err(_) => ShutdownReport::default(),
        };
        self.inner.join();
        report
    }

    /// Like [`close`](Self::close) for callers outside an executor.
    pub fn close_blocking(&self, grace: Duration) -> ShutdownReport {
        self.inner.request_close(grace);
        self.inner.join();
        self.inner.ended.borrow().unwrap_or_default()
    }
}

impl Inner {
    fn request_close(&self, grace: Duration) {
        let at = self.clock.now() + grace;
        self.inbox.request(Request::Close(at));
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

impl Execute for Client {
    fn job(&self, body: Bytes) -> JobBuilder<'_> {
        self.job(body)
    }

    fn shutdown(
        &self,
        grace: Duration,
    ) -> Pin<Box<dyn Future<Output = ShutdownReport> + Send + '_>> {
        Box::pin(self.close(grace))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoints", &self.inner.endpoints)
            .finish_non_exhaustive()
    }
}
