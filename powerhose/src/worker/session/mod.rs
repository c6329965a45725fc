//! The worker's side of the protocol, sans I/O: decides when to register, what to start, what to answer and when to leave.
//!
//! # How it is driven
//! Whoever drives a [`Session`] hands in what happened with [`handle`](Session::handle), then takes everything out of
//! [`poll_output`](Session::poll_output) and does it, in order. When [`next_deadline`](Session::next_deadline) is reached it
//! hands in [`Input::Tick`], after everything that was received by then; an early or repeated one does no harm. `now` may repeat
//! from one call to the next but must not go back. The same seed and the same inputs give the same outputs. After
//! [`Output::Exit`] inputs are ignored and nothing comes out any more.
//!
//! # States and events
//! *Counted* means: dropped, and counted in [`Counters`]. A session is *owed* something while results of its jobs are kept back or
//! still worked on.
//!
//! | event | Backoff | Registering | Active | Draining |
//! |---|---|---|---|---|
//! | REGISTERED, the session held | counted | → Active, with the results kept back | counted | counted |
//! | REGISTERED, another session | counted | → Active; what is left of the old session is cancelled | counted | counted |
//! | REJECTED unknown-session | counted | a session was named: the same as DISCONNECT does, then REGISTER without it; else → Backoff | as DISCONNECT | as DISCONNECT |
//! | REJECTED too-many-workers, draining | counted | → Backoff | counted | counted |
//! | REJECTED for another reason | counted | → Exited | counted | counted |
//! | HEARTBEAT | counted | counted | the master lives | the master lives |
//! | JOB | counted | counted | starts, waits, or RESULT expired, unknown-service, returned | RESULT returned |
//! | CANCEL of a waiting job | counted | counted | RESULT cancelled, or returned if recalled | the same |
//! | CANCEL of a started job | counted | counted | its handler is told, unless recalled | the same |
//! | DRAIN | counted | counted | → Draining; what waits is still done | no more jobs come: when nothing is left to do DISCONNECT, → Exited |
//! | DISCONNECT | counted | counted | the jobs are cancelled, their results dropped, → Backoff | the same, then only handlers are waited for |
//! | any message of another session | counted | counted | counted | counted |
//! | a handler is done | its result is kept | its result is kept | RESULT, the next job starts | RESULT; after the last one, and the master's DRAIN, DISCONNECT, → Exited |
//! | told to drain, `max_jobs`, `max_age` | → Exited, unless owed or working | the same | DRAIN, RESULT returned for what waits, → Draining | RESULT returned for what waits |
//! | told to stop | → Exited | → Exited | DISCONNECT, → Exited | DISCONNECT, → Exited |
//! | DRAIN not answered for [`DRAIN_PATIENCE`] | - | - | - | as if it were |
//! | ping due | - | - | HEARTBEAT | HEARTBEAT |
//! | master silent for too long | - | - | what waits is dropped, → Backoff | the same |
//! | REGISTER not answered | - | → Backoff | - | - |
//! | backoff over | connection opened, REGISTER, → Registering | - | - | - |
//! | reconnect limit reached | → Exited | → Exited | - | - |
//!
//! A worker that loses its master keeps its session and names it when it registers again, together with the attempts that it has
//! started and not answered: what it names is resumed, what it doesn't name the master gives to somebody else.
//! A worker that is told to leave while it has no connection goes on reconnecting only while it is owed something.
//!
//! Nothing is held against the master for time in which this process itself was stopped: a tick that comes late moves the limits
//! by its lateness.
//!
//! # Invariants
//! - No more jobs are started than there are slots, and no attempt twice within a session (of the thousand taken last).
//! - At most slots × (1 + [`DEFAULT_MAX_PREFETCH`](crate::wire::limits::DEFAULT_MAX_PREFETCH)) jobs wait.
//! - A job that was started in a session is answered in it once, or not at all if it ended first.
//! - No result of one session is ever sent in another.

mod config;
mod counters;
mod event;
mod leave;
mod reconnect;
mod registration;
mod seen;
mod slots;
mod work;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

pub use config::SessionConfig;
pub use counters::Counters;
pub use event::{Assignment, Input, Output};

use crate::time::Time;
use crate::wire::limits::DRAIN_PATIENCE;
use crate::wire::{FromWorker, ToWorker};
use crate::worker::Exit;
use leave::Leaving;
use reconnect::Reconnect;
use seen::Seen;
use slots::Slots;
use work::Answer;

/// A tick that is so late finds a process that was stopped.
const STOPPED: Duration = Duration::from_millis(100);

/// Where a worker stands with its master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Waiting before the next try.
    Backoff,
    /// A connection is open and REGISTER is sent.
    Registering,
    /// The master knows the worker and sends jobs.
    Active,
    /// The worker finishes what it has, and then leaves.
    Draining,
    /// Done.
    Exited,
}

/// The worker's side of the protocol. The [module](self) says how to drive it.
pub struct Session {
    config: SessionConfig,
    rng: SmallRng,
    link: Link,
    /// The session that the master issued; 0 if there is none.
    id: u64,
    reconnect: Reconnect,
    slots: Slots,
    /// The jobs that wait for a slot. Empty without a connection, for then the master gives them to others.
    waiting: VecDeque<Assignment>,
    /// What became of jobs while there was no connection.
    kept: Vec<Answer>,
    seen: Seen,
    leaving: Option<Leaving>,
    retire_at: Option<Time>,
    /// When to look for handlers that overrun; `None` while no handler can.
    watch_at: Option<Time>,
    counters: Counters,
    outputs: VecDeque<Output>,
}

/// The connection to the master, with what only matters while it is in that state.
enum Link {
    Backoff {
        until: Time,
    },
    Registering {
        until: Time,
    },
    Up(Up),
    /// The worker leaves and has nothing to say to a master any more: only handlers are waited for.
    Parted,
    Exited,
}

/// A session that the master has confirmed over the present connection.
struct Up {
    since: Time,
    /// When the master was heard last.
    heard: Time,
    ping_at: Time,
    heartbeat: Duration,
    /// How long the master may be silent.
    silence: Duration,
    max_body: u64,
    inflow: Inflow,
}

/// Whether jobs may still come.
enum Inflow {
    Open,
    /// The master has been told to send none, and has not answered. It is waited for until then.
    Closing {
        until: Time,
    },
    /// The master has said that it sends none.
    Closed,
}

impl Session {
    /// A worker that has just started. It opens its connection at once.
    pub fn new(config: SessionConfig, seed: u64, now: Time) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let delta = rng.random_range(Duration::ZERO..=config.max_age_delta);
        let mut session = Self {
            rng,
            link: Link::Backoff { until: now },
            id: 0,
            reconnect: Reconnect::new(config.reconnect_limit, now),
            slots: Slots::new(config.register.slots),
            waiting: VecDeque::new(),
            kept: Vec::new(),
            seen: Seen::new(),
            leaving: None,
            retire_at: config.max_age.map(|age| now + age + delta),
            watch_at: None,
            counters: Counters::default(),
            outputs: VecDeque::new(),
            config,
        };
        session.open(now);
        session
    }

    /// Takes note of what happened; the outputs that follow from it queue up.
    pub fn handle(&mut self, input: Input, now: Time) {
        if matches!(self.link, Link::Exited) {
            return;
        }
        match input {
            Input::Message(message) => self.message(message, now),
            Input::Malformed(_) => self.counters.malformed += 1,
            Input::Finished {
                slot,
                code,
                elapsed,
                body,
            } => self.finished(slot, code, elapsed, body, now),
            Input::Drain => self.leave(Leaving::drained(), now),
            Input::Stop => self.stop(),
            Input::Tick => self.tick(now),
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the next [`Input::Tick`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        let link = match &self.link {
            Link::Backoff { until } | Link::Registering { until } => {
                Some((*until).min(self.reconnect.give_up_at()))
            }
            Link::Up(up) => [Some(up.ping_at.min(up.lost_at())), self.parts_at()]
                .into_iter()
                .flatten()
                .min(),
            Link::Parted => None,
            Link::Exited => return None,
        };
        let retire = self.retire_at.filter(|_| self.leaving.is_none());
        [link, retire, self.watch_at].into_iter().flatten().min()
    }

    /// Where the worker stands with its master.
    pub fn state(&self) -> State {
        match self.link {
            Link::Backoff { .. } => State::Backoff,
            Link::Registering { .. } => State::Registering,
            Link::Up(_) if self.leaving.is_none() => State::Active,
            Link::Up(_) | Link::Parted => State::Draining,
            Link::Exited => State::Exited,
        }
    }

    /// The session that the master issued and that the worker holds; 0 if there is none.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    fn message(&mut self, message: ToWorker, now: Time) {
        match (&mut self.link, message) {
            (Link::Registering { .. }, ToWorker::Registered { session, terms }) if session != 0 => {
                self.registered(session, &terms, now);
            }
            // The master can't name the session of a REGISTER that it could not read.
            (
                Link::Registering { .. },
                ToWorker::Rejected {
                    session,
                    reason,
                    rejection,
                },
            ) if session == self.id || session == 0 => {
                self.refused(reason, rejection, now);
            }
            (Link::Up(up), message) if message.session() == self.id => {
                up.heard = now;
                self.heard(message, now);
            }
            (Link::Up(_), _) => self.counters.foreign += 1,
            _ => self.counters.unexpected += 1,
        }
    }

    fn tick(&mut self, now: Time) {
        let late = self
            .next_deadline()
            .map_or(Duration::ZERO, |due| now.since(due));
        if (self.retire_at).is_some_and(|at| at <= now) && self.leaving.is_none() {
            self.leave(Leaving::retired(), now);
        }
        if self.watch_at.is_some_and(|at| at <= now) {
            self.watch(now);
        }
        match &mut self.link {
            Link::Backoff { until } | Link::Registering { until } => {
                let until = *until;
                self.reconnect.credit(late);
                if self.reconnect.give_up_at() <= now {
                    self.exit(Exit::MasterLost);
                } else if until <= now {
                    self.retry(now);
                }
            }
            Link::Up(up) => {
                up.heard = (up.heard + late).min(now);
                if late > STOPPED
                    && let Inflow::Closing { until } = &mut up.inflow
                {
                    // What came meanwhile may be more than has been read by now.
                    *until = now + DRAIN_PATIENCE;
                }
                if up.lost_at() <= now {
                    self.silent(now);
                } else if up.ping_at <= now {
                    up.ping_at = now + up.heartbeat;
                    self.send(FromWorker::Heartbeat { session: self.id });
                }
            }
            Link::Parted | Link::Exited => {}
        }
        if self.parts_at().is_some_and(|at| at <= now) {
            self.settle(now);
        }
    }

    fn send(&mut self, message: FromWorker) {
        self.outputs.push_back(Output::Send(message));
    }
}

impl Up {
    fn lost_at(&self) -> Time {
        self.heard + self.silence
    }

    fn may_get_jobs(&self, now: Time) -> bool {
        match self.inflow {
            Inflow::Open => true,
            Inflow::Closing { until } => until > now,
            Inflow::Closed => false,
        }
    }
}
