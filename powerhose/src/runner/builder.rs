use std::time::Duration;

use super::JobRunner;
use crate::driver::master;
use crate::driver::master::listen::{Listening, Protection, StartError};
use crate::execute::DEFAULT_TIMEOUT;
use crate::master::Config;
use crate::security::CurveServer;

/// Settings of a [`JobRunner`]; made by [`JobRunner::builder`]. Only an endpoint must be named.
#[derive(Debug, Clone)]
#[must_use = "nothing runs before `start`"]
pub struct JobRunnerBuilder {
    endpoints: Vec<String>,
    default_timeout: Duration,
    config: Config,
    protection: Protection,
}

impl Default for JobRunnerBuilder {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            default_timeout: DEFAULT_TIMEOUT,
            config: Config::default(),
            protection: Protection::default(),
        }
    }
}

impl JobRunnerBuilder {
    /// Adds an endpoint to listen at. `ipc:///path/of/socket` for workers on this host: a missing directory is made for this user
    /// only, and a path has at most 107 bytes. `tcp://127.0.0.1:port` for workers that cannot use ipc, any other address with
    /// [`curve`](Self::curve); `*` as the port is any free one.
    ///
    /// A worker that takes its jobs on a socket of its own must have that in the directory of the first ipc endpoint.
    pub fn bind(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// The keys for tcp: connections are then encrypted, and only workers whose key is on the list are admitted. On ipc, where the file
    /// system decides who may connect, they are not used. Default: none.
    pub fn curve(mut self, keys: CurveServer) -> Self {
        self.protection.curve = Some(keys);
        self
    }

    /// Whether to listen beyond this machine without [`curve`](Self::curve). Anybody who gets there can then register, take jobs and
    /// answer them. Default: no.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.protection.insecure = insecure;
        self
    }

    /// How long a job may take, waiting included, unless it says so itself. Default 30 s.
    pub fn default_timeout(mut self, timeout: Duration) -> Self {
        self.default_timeout = timeout;
        self
    }

    /// The most jobs that wait for a worker, over all services. Default 100,000. A job beyond it fails as `Overloaded` at once. As
    /// many again may be on their way to the thread that decides.
    pub fn max_queue_jobs(mut self, jobs: usize) -> Self {
        self.config.max_queue_jobs = jobs;
        self
    }

    /// The most bytes of payload that wait for a worker. Default 256 MiB. A job beyond it fails as `Overloaded` at once. As many
    /// again may be on their way to the thread that decides.
    pub fn max_queue_bytes(mut self, bytes: usize) -> Self {
        self.config.max_queue_bytes = bytes;
        self
    }

    /// The largest payload and the largest result, in bytes. Default 16 MiB. What is larger fails as `TooLarge`.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.config.max_body = bytes;
        self
    }

    /// The most workers registered at the same time. Default 4,096. One beyond it is turned away. Each needs a descriptor, and a
    /// process that may not open as many files is an error at [`start`](Self::start).
    pub fn max_workers(mut self, workers: usize) -> Self {
        self.config.max_workers = workers;
        self
    }

    /// How often workers ping, and after how many silent intervals an idle one counts as lost. Default 1 s and 3. A worker that
    /// works on a job is not judged by it, nor is anyone by the time in which this process was itself stopped.
    pub fn heartbeat(mut self, interval: Duration, misses: u32) -> Self {
        self.config.heartbeat = interval;
        self.config.misses = misses;
        self
    }

    /// The most jobs that a worker is sent ahead of time, per slot. Default 128; 0 turns it off. Only jobs that take far less than
    /// [`prefetch_window`](Self::prefetch_window) are sent ahead: it hides the way to the worker and back.
    pub fn max_prefetch(mut self, jobs: u16) -> Self {
        self.config.max_prefetch = jobs;
        self
    }

    /// How much work a worker is sent ahead, by the time that its jobs took so far. Default 1 ms. More makes a job wait
    /// longer behind another one that takes longer than usual.
    pub fn prefetch_window(mut self, window: Duration) -> Self {
        self.config.prefetch_window = window;
        self
    }

    /// How long a worker may take from one result to the next before the jobs that it was sent ahead are given to others. Default
    /// 50 ms.
    pub fn recall_after(mut self, silence: Duration) -> Self {
        self.config.recall_after = silence;
        self
    }

    /// Listens and starts the thread.
    ///
    /// # Errors
    /// [`StartError`], whose message names what is to be changed:
    ///
    /// ```
    /// let error = powerhose::JobRunner::builder().bind("tcp://0.0.0.0:5555").start().unwrap_err();
    /// assert_eq!((error.code(), error.exit_code()), ("invalid-endpoint", 78));
    /// ```
    pub fn start(self) -> Result<JobRunner, StartError> {
        self.check()?;
        let listening = Listening::open(&self.endpoints, &self.config, &self.protection)?;
        let endpoints = listening.endpoints().to_vec();
        let handle = master::start(listening, &self.config, None)?;
        Ok(JobRunner::new(handle, endpoints, self.default_timeout))
    }

    fn check(&self) -> Result<(), StartError> {
        const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(10);
        let Config {
            heartbeat,
            misses,
            max_queue_jobs,
            max_workers,
            ..
        } = self.config;
        let invalid = |name, why| Err(StartError::Setting { name, why });
        if heartbeat < SHORTEST_HEARTBEAT {
            return invalid("heartbeat", "it must be 10 ms or more");
        }
        if misses == 0 {
            return invalid("misses", "it must be 1 or more");
        }
        if max_queue_jobs == 0 {
            return invalid("max_queue_jobs", "it must be 1 or more");
        }
        if max_workers == 0 {
            return invalid("max_workers", "it must be 1 or more");
        }
        Ok(())
    }
}
