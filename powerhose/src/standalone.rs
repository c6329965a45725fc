//! [`StandaloneMaster`]: a master in a process of its own, for many services.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::driver::clock::Clock;
use crate::driver::master;
use crate::driver::master::ShutdownReport;
use crate::driver::master::inbox::{MasterInbox, Request};
use crate::driver::master::listen::{Listening, Protection, StartError};
use crate::master::Config;
use crate::master::frontend::FrontendConfig;
use crate::security::CurveServer;

/// The limits that a running master can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// See [`Config::max_queue_jobs`].
    pub max_queue_jobs: usize,
    /// See [`Config::max_queue_bytes`].
    pub max_queue_bytes: usize,
    /// See [`FrontendConfig::max_client_jobs`].
    pub max_client_jobs: usize,
    /// See [`FrontendConfig::max_client_bytes`].
    pub max_client_bytes: usize,
}

/// Settings of a [`StandaloneMaster`].
#[derive(Debug, Clone, Default)]
#[must_use = "nothing runs before `start`"]
pub struct StandaloneBuilder {
    frontends: Vec<String>,
    backends: Vec<String>,
    operators: Vec<String>,
    config: Config,
    frontend: FrontendConfig,
    protection: Protection,
}

impl StandaloneBuilder {
    /// Adds an endpoint for clients: `ipc:///path/of/socket` or `tcp://127.0.0.1:port`. Operators ask there, too, unless they have an
    /// endpoint of their own.
    pub fn frontend(mut self, endpoint: impl Into<String>) -> Self {
        self.frontends.push(endpoint.into());
        self
    }

    /// Adds an endpoint for operators, who from then on are answered there and nowhere else. With keys, those on the list of
    /// operators are admitted. Default none.
    pub fn operator(mut self, endpoint: impl Into<String>) -> Self {
        self.operators.push(endpoint.into());
        self
    }

    /// Adds an endpoint for workers.
    pub fn backend(mut self, endpoint: impl Into<String>) -> Self {
        self.backends.push(endpoint.into());
        self
    }

    /// The settings about jobs and workers. Heartbeats and the size of bodies hold for clients, too.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The settings about clients.
    pub fn clients(mut self, frontend: FrontendConfig) -> Self {
        self.frontend = frontend;
        self
    }

    /// The keys for tcp: connections are then encrypted, and only peers whose keys are on the list of the socket that
    /// they connect to are admitted: workers, clients or operators. The master's own key is an operator's. Default none.
    pub fn curve(mut self, keys: CurveServer) -> Self {
        self.protection.curve = Some(keys);
        self
    }

    /// Allows tcp beyond this machine without keys: anyone can then take and hand in jobs. Default no.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.protection.insecure = insecure;
        self
    }

    /// Listens and starts the thread.
    ///
    /// # Errors
    /// [`StartError`], whose message names what is to be changed. One that is about an endpoint in use names the process.
    pub fn start(self) -> Result<StandaloneMaster, StartError> {
        let frontend = FrontendConfig {
            heartbeat: self.config.heartbeat,
            misses: self.config.misses,
            max_body: self.config.max_body,
            answers_status: self.operators.is_empty(),
            ..self.frontend
        };
        let peers = frontend.max_clients;
        let listening = Listening::open_standalone(
            &self.backends,
            &self.frontends,
            &self.operators,
            &self.config,
            &self.protection,
            peers,
        )?;
        let backends = listening.endpoints().to_vec();
        let frontends = listening.frontends().to_vec();
        let operators = listening.operator_endpoints().to_vec();
        let handle = master::start(listening, &self.config, Some(frontend))?;
        Ok(StandaloneMaster {
            inbox: handle.inbox,
            clock: handle.clock,
            ended: handle.ended,
            thread: Mutex::new(Some(handle.thread)),
            frontends,
            operators,
            backends,
        })
    }
}

/// A master for clients in other processes: what `powerhose master` runs.
///
/// Dropping it stops it at once, in the background; call [`shutdown_blocking`](Self::shutdown_blocking) to end in order.
pub struct StandaloneMaster {
    inbox: std::sync::Arc<MasterInbox>,
    clock: Clock,
    ended: tokio::sync::watch::Receiver<Option<master::Ended>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    frontends: Vec<String>,
    operators: Vec<String>,
    backends: Vec<String>,
}

impl StandaloneMaster {
    /// Settings to start one with.
    pub fn builder() -> StandaloneBuilder {
        StandaloneBuilder::default()
    }

    /// Where clients connect to, with the ports that the system chose.
    pub fn frontends(&self) -> &[String] {
        &self.frontends
    }

    /// Where operators connect to, if not to the frontends.
    pub fn operators(&self) -> &[String] {
        &self.operators
    }

    /// Where workers connect to.
    pub fn backends(&self) -> &[String] {
        &self.backends
    }

    /// Changes limits while it runs. What is beyond a lower one stays; nothing is added to it.
    pub fn set_limits(&self, limits: Limits) {
        self.inbox.request(Request::Limits(limits));
    }

    /// Begins to end in order: tells clients and workers, takes no more jobs, finishes those under way for as long as `grace`. May
    /// be called again with a shorter one.
    pub fn begin_shutdown(&self, grace: Duration) {
        let stop_at = self.clock.now() + grace;
        self.inbox.request(Request::Shutdown(stop_at));
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        (self.thread.lock().unwrap_or_else(PoisonError::into_inner))
            .as_ref()
            .is_none_or(JoinHandle::is_finished)
    }

    /// Ends in order and waits for it.
    pub fn shutdown_blocking(&self, grace: Duration) -> ShutdownReport {
        self.begin_shutdown(grace);
        let thread = (self.thread.lock().unwrap_or_else(PoisonError::into_inner)).take();
        if let Some(thread) = thread {
            // An error is a panic, which has been reported where it happened.
            let _ = thread.join();
        }
        let ended = self.ended.borrow();
        ended.as_ref().map(|end| end.report).unwrap_or_default()
    }
}

impl Drop for StandaloneMaster {
    fn drop(&mut self) {
        self.begin_shutdown(Duration::ZERO);
    }
}

impl fmt::Debug for StandaloneMaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandaloneMaster")
            .field("frontends", &self.frontends)
            .field("operators", &self.operators)
            .field("backends", &self.backends)
            .finish_non_exhaustive()
    }
}
