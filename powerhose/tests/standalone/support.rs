//! A master, workers and clients that go when the test goes.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use powerhose::master::Config;
use powerhose::master::frontend::FrontendConfig;
use powerhose::{Client, Job, JobError, StandaloneMaster, Stopper, Worker};
use tempfile::TempDir;

/// How long anything may take on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The place where masters listen, one after the other.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub(crate) fn frontend(&self) -> String {
        format!("ipc://{}", self.path().join("f").display())
    }

    pub(crate) fn backend(&self) -> String {
        format!("ipc://{}", self.path().join("b").display())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn master(&self) -> StandaloneMaster {
        self.master_with(FrontendConfig::default())
    }

    pub(crate) fn master_with(&self, clients: FrontendConfig) -> StandaloneMaster {
        StandaloneMaster::builder()
            .frontend(self.frontend())
            .backend(self.backend())
            .config(Config {
                heartbeat: Duration::from_millis(200),
                ..Config::default()
            })
            .clients(clients)
            .start()
            .expect("the place is free")
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.frontend()).expect("an endpoint")
    }

    /// A worker with as many slots.
    pub(crate) fn worker(
        &self,
        slots: u16,
        handler: impl Fn(Job) -> Result<bytes::Bytes, JobError> + Send + Sync + 'static,
    ) -> RunningWorker {
        let worker = Worker::builder()
            .connect(self.backend())
            .slots(slots)
            .handler(handler)
            .handle_signals(false)
            .build()
            .expect("a worker");
        let stopper = worker.stopper();
        let thread = std::thread::spawn(move || {
            let _ = worker.run();
        });
        RunningWorker {
            stopper,
            thread: Some(thread),
        }
    }
}

/// A worker that ends with the test.
pub(crate) struct RunningWorker {
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

impl Drop for RunningWorker {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut left = LONG;
    while !is_so() {
        assert!(!left.is_zero(), "never happened: {what}");
        let pause = Duration::from_millis(10);
        std::thread::sleep(pause);
        left = left.saturating_sub(pause);
    }
}
