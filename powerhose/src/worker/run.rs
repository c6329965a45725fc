use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::builder::WorkerBuilder;
use super::control::Control;
use super::error::WorkerError;
use super::exit::Exit;
use super::job::Slot;
use super::overrun::Watchdog;
use super::own_socket::OwnSocket;
use super::pump::{Parts, Pump};
use super::session::{Session, SessionConfig};
use super::shared::Shared;
use super::signals::Signals;
use super::single::Single;
use super::slot::{self, Handler};
use super::stopper::Stopper;
use crate::driver::clock::Clock;
use crate::driver::endpoint::Endpoint;
use crate::driver::wake::{Sleeper, Waker};
use crate::security::CurveClient;

/// A process's, or a thread's, end of the bargain: takes jobs from a master, runs a handler on each, sends back what it says.
///
/// ```no_run
/// use powerhose::{Job, JobError, Worker};
///
/// let exit = Worker::builder()
///     .connect("ipc:///run/user/1000/squares/backend")
///     .service("square")
///     .handler(|job: Job| {
///         let number: u64 = std::str::from_utf8(job.body())?.parse()?;
///         let square = number.checked_mul(number).ok_or(JobError::new("too large"))?;
///         Ok(square.to_string().into())
///     })
///     .run()?;
/// std::process::exit(exit.code().into());
/// # #[allow(unreachable_code, reason = "the example ends with exit")]
/// # Ok::<(), powerhose::WorkerError>(())
/// ```
///
/// # Life
/// It registers, pings, and when it loses the master comes back to it or to its successor, at growing and varied intervals, until the
/// [`reconnect_limit`](WorkerBuilder::reconnect_limit). A job is not started when its caller's time is over or the caller is gone;
/// one that has started is told by [`Job::is_cancelled`](super::Job::is_cancelled). How it ends says [`Exit`].
///
/// # Fork
/// Build and run it after any fork. A process that forks while a worker runs must exec in the child: libzmq's threads and
/// sockets do not survive a fork.
pub struct Worker {
    pub(super) endpoint: Endpoint,
    pub(super) curve: Option<CurveClient>,
    pub(super) own_socket: Option<Endpoint>,
    pub(super) handler: Arc<Handler>,
    pub(super) config: SessionConfig,
    pub(super) watchdog: Option<Watchdog>,
    pub(super) handle_signals: bool,
    pub(super) waker: Waker,
    pub(super) sleeper: Sleeper,
    pub(super) stopper: Stopper,
}

impl Worker {
    /// Describes a worker.
    pub fn builder() -> WorkerBuilder {
        WorkerBuilder::new()
    }

    /// Something to end the worker with from another thread. It works before [`run`](Self::run) too.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Works until there is a reason to leave, and returns it. Blocks; handlers run on threads of their own.
    ///
    /// When it returns, every handler that was allowed to end has ended. After [`Exit::MasterLost`], [`Exit::Stopped`] and an error,
    /// handlers may still run; they see that they are cancelled, and their results go nowhere.
    ///
    /// # Errors
    /// [`WorkerError::Claim`] if the path of the worker's own socket cannot be listened at, [`WorkerError::Resources`] if the
    /// system refuses a thread, a socket or the signal handlers.
    pub fn run(self) -> Result<Exit, WorkerError> {
        let own = (self.own_socket.as_ref().map(OwnSocket::bind)).transpose()?;
        let signals = self.handle_signals.then(Signals::new).transpose()?;
        let clock = Clock::new();
        let services: Arc<[String]> = self.config.register.services.clone().into();
        let count = self.config.register.slots;
        let slots = (0..count)
            .map(|_| Arc::new(Slot::new(Arc::clone(&services))))
            .collect::<Vec<_>>();
        let session = Session::new(self.config, rand::random(), clock.now());
        let shared = Arc::new(Shared::new(session, slots, self.waker, clock));
        let pump = Pump::new(Parts {
            control: Control::new(zmq::Context::new(), self.endpoint, self.curve),
            own,
            services,
            watchdog: self.watchdog,
            shared: Arc::clone(&shared),
            sleeper: self.sleeper,
            wishes: self.stopper.listen(),
            signals,
            clock,
        });
        let mut crew = Crew::new(Arc::clone(&shared));
        let exit = if count == 1 {
            let single = Arc::new(Single::new(pump, shared, self.handler, clock));
            let worker = Arc::clone(&single);
            crew.hire(move || worker.work())?;
            single.stand_by()
        } else {
            for slot in 0..count {
                let (shared, handler) = (Arc::clone(&shared), Arc::clone(&self.handler));
                crew.hire(move || slot::work(slot, &shared, &*handler, clock))?;
            }
            pump.run()
        };
        Ok(exit?)
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("endpoint", &self.endpoint)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The threads of the slots. Dropping it sends them home, and waits for them if none of them is in a handler.
struct Crew {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Crew {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            threads: Vec::new(),
        }
    }

    fn hire(&mut self, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let name = format!("powerhose-{}", self.threads.len());
        let thread = thread::Builder::new().name(name).spawn(work)?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        if self.shared.close() {
            for thread in self.threads.drain(..) {
                // A slot's thread contains its handler's panics and has none of its own.
                let _ = thread.join();
            }
        }
    }
}
