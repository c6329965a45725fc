use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::error::WorkerError;
use super::exit::Exit;
use super::job::{Job, JobError};
use super::overrun::{Overrun, Watchdog};
use super::run::Worker;
use super::session::SessionConfig;
use super::slot::Handler;
use super::stopper::Stopper;
use crate::driver::endpoint::{Endpoint, Reach};
use crate::driver::wake;
use crate::security::{self, CurveClient, KeyError};
use crate::wire::limits::{MAX_SERVICES, MAX_SLOTS};
use crate::wire::{Register, is_service_name};

/// Describes a worker; made by [`Worker::builder`].
#[must_use = "nothing runs before `run`"]
pub struct WorkerBuilder {
    endpoint: Option<String>,
    own_socket: Option<String>,
    curve: Option<CurveClient>,
    insecure: bool,
    handler: Option<Arc<Handler>>,
    config: SessionConfig,
    max_age_delta: Option<Duration>,
    watchdog: Option<Watchdog>,
    handle_signals: bool,
}

impl WorkerBuilder {
    pub(super) fn new() -> Self {
        let register = Register {
            services: Vec::new(),
            slots: 1,
            pid: std::process::id(),
            host: (rustix::system::uname().nodename().to_string_lossy()).into_owned(),
            implementation: concat!("powerhose/", env!("CARGO_PKG_VERSION")).to_owned(),
            socket: None,
            running: Vec::new(),
        };
        Self {
            endpoint: None,
            own_socket: None,
            curve: None,
            insecure: false,
            handler: None,
            config: SessionConfig::new(register),
            max_age_delta: None,
            watchdog: None,
            handle_signals: true,
        }
    }

    /// Where the master listens: `ipc://` and an absolute path, or `tcp://`, a host and a port. A host
    /// other than this one needs [`curve`](Self::curve). Required.
    pub fn connect(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// The keys with which to connect over tcp. Connections are then encrypted, and only the master that holds the other half of the
    /// key named is talked to. On ipc, where the file system decides who may connect, they are not used. Default: none.
    pub fn curve(mut self, keys: CurveClient) -> Self {
        self.curve = Some(keys);
        self
    }

    /// Whether to connect to another host without [`curve`](Self::curve). Whoever is on the way can then read and change jobs and
    /// results. Default: no.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// Takes jobs at a socket of the worker's own, `ipc://` and an absolute path, instead of over the connection to the master.
    ///
    /// The master connects there only if the path is inside the directory of its own ipc socket. The path is locked for as long as
    /// the worker runs, and removed afterwards; its directory is made, for this user only, if it is missing.
    pub fn bind(mut self, endpoint: impl Into<String>) -> Self {
        self.own_socket = Some(endpoint.into());
        self
    }

    /// Offers a service: at most 64 letters, digits, dots, dashes and underscores, or the empty name for the default service.
    /// May be called up to 64 times, with different names. Without it the worker offers the default service.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.config.register.services.push(name.into());
        self
    }

    /// How many jobs the worker works on at the same time, each in a thread of its own: 1 to 1,024. 1 by default.
    ///
    /// For CPU work in Rust one process with as many slots as cores does as well as several processes. Several processes with one slot
    /// each survive a handler that takes its process down.
    pub fn slots(mut self, slots: u16) -> Self {
        self.config.register.slots = slots;
        self
    }

    /// What to do with a job. Required.
    ///
    /// It runs on the slots' threads, several at a time if there are several slots. A panic fails the job, with what the panic said, and
    /// the worker lives on.
    pub fn handler<F>(mut self, handler: F) -> Self
    where
        F: Fn(Job) -> Result<Bytes, JobError> + Send + Sync + 'static,
    {
        self.handler = Some(Arc::new(handler));
        self
    }

    /// How long the worker tries to reach a master, from its start or from the moment it lost one, before it leaves with
    /// [`Exit::MasterLost`]. 60 s by default. Time for which the process itself was stopped does not count.
    pub fn reconnect_limit(mut self, limit: Duration) -> Self {
        self.config.reconnect_limit = limit;
        self
    }

    /// Leaves in order after this many jobs, at least 1; for handlers that leak. Unlimited by default.
    pub fn max_jobs(mut self, jobs: u64) -> Self {
        self.config.max_jobs = Some(jobs);
        self
    }

    /// Leaves in order at this age; for handlers that leak, and for certificates, models or code that change. Unlimited by default.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.config.max_age = Some(age);
        self
    }

    /// At most this much, at random, is added to [`max_age`](Self::max_age), so that workers which were started together do not
    /// leave together. A tenth of it by default.
    pub fn max_age_delta(mut self, delta: Duration) -> Self {
        self.max_age_delta = Some(delta);
        self
    }

    /// Logs a warning, once for each job, when a handler runs longer than this, and tells
    /// [`on_overrun`](Self::on_overrun). The handler is left alone: threads cannot be ended from outside. Off by default.
    pub fn overrun(mut self, limit: Duration) -> Self {
        self.config.overrun = Some(limit);
        self
    }

    /// Whom to tell when a handler runs longer than the limit of [`overrun`](Self::overrun), once for each job and while it runs:
    /// to count it, to write down what all threads are doing, or to end the process, which its controller then replaces.
    ///
    /// It is called on a thread that moves messages, so it should return soon. A panic in it is logged and contained.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let worker = powerhose::Worker::builder()
    ///     .overrun(Duration::from_secs(30))
    ///     .on_overrun(|overrun| {
    ///         eprintln!("job {} has been running for {:?}", overrun.job, overrun.running);
    ///         std::process::abort();
    ///     });
    /// ```
    pub fn on_overrun(mut self, tell: impl Fn(&Overrun) + Send + Sync + 'static) -> Self {
        self.watchdog = Some(Watchdog::new(tell));
        self
    }

    /// Whether [`run`](Worker::run) handles `SIGTERM` and `SIGINT`. True by default.
    ///
    /// The first of either drains: what has started is finished and answered, the rest handed back. A second `SIGINT` leaves at
    /// once with [`Exit::Stopped`]; further `SIGTERM`s change nothing, for a controller that wants to insist has `SIGKILL`.
    /// When `run` has returned, the signals end the process again, as they do by default. A program with handlers of its own switches this
    /// off and uses a [`Stopper`](super::Stopper).
    pub fn handle_signals(mut self, handle: bool) -> Self {
        self.handle_signals = handle;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`WorkerError::Setting`] or [`WorkerError::Endpoint`], naming what is missing or wrong; [`WorkerError::Resources`] if
    /// descriptors have run out.
    ///
    /// ```
    /// let worker = powerhose::Worker::builder().connect("ipc:///tmp/master").slots(0);
    /// let error = worker.handler(|job| Ok(job.into_body())).build().unwrap_err();
    /// assert_eq!(error.to_string(), "worker setting slots: 1 to 1024 are possible, not 0");
    /// ```
    pub fn build(mut self) -> Result<Worker, WorkerError> {
        let endpoint = self.endpoint.take();
        let endpoint = endpoint.ok_or_else(|| wrong("connect", "say where the master listens"))?;
        let reach = Reach::new(self.curve.is_some(), self.insecure);
        let endpoint = Endpoint::to_connect(&endpoint, reach)?;
        if self.curve.is_some() && !security::is_available() {
            return Err(wrong("curve", KeyError::Unavailable.to_string()));
        }
        let own_socket = self.own_socket.take();
        let own_socket = (own_socket.as_deref())
            .map(|path| Endpoint::to_bind(path, Reach::Loopback))
            .transpose()?;
        self.config.register.socket = match &own_socket {
            None => None,
            Some(Endpoint::Ipc(path)) => Some(path.to_string_lossy().into_owned()),
            Some(Endpoint::Tcp(_) | Endpoint::Host(..)) => {
                return Err(wrong("bind", "only ipc:// and a path is possible"));
            }
        };
        let handler = self.handler.take();
        let handler = handler.ok_or_else(|| wrong("handler", "say what to do with a job"))?;
        if self.config.register.services.is_empty() {
            self.config.register.services.push(String::new());
        }
        check_services(&self.config.register.services)?;
        let slots = self.config.register.slots;
        if !(1..=MAX_SLOTS).contains(&slots) {
            return Err(wrong(
                "slots",
                format!("1 to {MAX_SLOTS} are possible, not {slots}"),
            ));
        }
        if self.config.max_jobs == Some(0) {
            return Err(wrong("max_jobs", "at least 1 is possible"));
        }
        let tenth = self.config.max_age.map(|age| age / 10);
        self.config.max_age_delta = self.max_age_delta.or(tenth).unwrap_or_default();
        let (waker, sleeper) = wake::pair()?;
        Ok(Worker {
            endpoint,
            curve: self.curve,
            own_socket,
            handler,
            config: self.config,
            watchdog: self.watchdog,
            handle_signals: self.handle_signals,
            stopper: Stopper::new(waker.clone()),
            waker,
            sleeper,
        })
    }

    /// Builds the worker and runs it: [`build`](Self::build), then [`Worker::run`].
    ///
    /// # Errors
    /// Those of the two.
    pub fn run(self) -> Result<Exit, WorkerError> {
        self.build()?.run()
    }
}

fn check_services(services: &[String]) -> Result<(), WorkerError> {
    if services.len() > MAX_SERVICES {
        return Err(wrong(
            "service",
            format!("at most {MAX_SERVICES} are possible"),
        ));
    }
    for (index, name) in services.iter().enumerate() {
        if !is_service_name(name) {
            return Err(wrong(
                "service",
                format!(
                    "{name:?} is more than letters, digits, dots, dashes and underscores, or longer than 64"
                ),
            ));
        }
        if services[..index].contains(name) {
            return Err(wrong("service", format!("{name:?} is named twice")));
        }
    }
    Ok(())
}

fn wrong(setting: &'static str, why: impl Into<String>) -> WorkerError {
    WorkerError::Setting {
        setting,
        why: why.into(),
    }
}

impl fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder")
            .field("endpoint", &self.endpoint)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
