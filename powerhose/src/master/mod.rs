//! The core of the master: decides, without sockets, threads or a clock, who does which job and what its outcome is.
//!
//! # How it is driven
//!
//! Whoever drives a [`Master`], the thread that owns the sockets or a simulator, does this in turn:
//!
//! 1. [`handle`](Master::handle) with what happened, in the order in which it happened. Everything received comes before
//!    [`Event::Tick`]: an answer that has arrived is worth more than a deadline that has passed.
//! 2. [`poll_action`](Master::poll_action) until it gives `None`, performing each action. What performing it brings about
//!    (a connection that is gone) is the next event.
//! 3. Waits for the next event, but not beyond [`next_deadline`](Master::next_deadline); then `Tick`.
//!
//! `now` may repeat but not go back. A `now` that is much later than the deadline asked for means that the process was
//! stopped; no worker is held responsible for that time.
//!
//! # What it promises
//!
//! - Each submitted job gets exactly one [`Action::Complete`], or none if it was cancelled first.
//! - A job is sent at most as often as its attempts allow, not counting attempts that a worker handed back unstarted.
//! - A worker has at most its slots in flight, plus what its measured speed and [`Config::max_prefetch`] allow.
//! - Clients whose jobs wait for the same workers take turns, job by job.
//! - The jobs that wait are bounded in number and bytes, workers in number, timers by both.
//! - The same events with the same times and seed give the same actions.

mod admission;
mod check;
mod config;
mod dispatch;
mod estimate;
mod event;
pub mod frontend;
mod jobs;
mod liveness;
mod losses;
mod meter;
mod mutants;
mod order;
mod pool;
mod probing;
mod queue;
mod recall;
mod registration;
mod results;
mod services;
mod snapshot;
mod stats;
mod timers;
mod workers;

use std::collections::VecDeque;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use self::jobs::{JobId, Jobs, Place};
use self::losses::Losses;
use self::meter::Meter;
use self::pool::Pool;
use self::probing::Probing;
use self::services::{ServiceIndex, Services};
use self::timers::{Timer, Timers};
use self::workers::{WorkerKey, Workers};
use crate::error::{ExecuteError, Started};
use crate::time::Time;
use crate::wire::limits::MAX_ATTEMPTS;
use crate::wire::{CancelReason, DisconnectReason, FromWorker, ToWorker};

pub use config::Config;
pub use event::{Action, Event, NewJob, Peer, Ticket};
pub(crate) use registration::IMPLEMENTATION;
pub use stats::{Counters, Latencies, ServiceStats, Stats, WorkerSnapshot, WorkerState};

/// Where the master stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Draining,
    Stopped,
}

/// The core of the master; the [module](self) says how to drive it.
#[derive(Debug)]
pub struct Master {
    config: Config,
    random: StdRng,
    phase: Phase,
    jobs: Jobs,
    services: Services,
    workers: Workers,
    pool: Pool,
    timers: Timers,
    probing: Probing,
    losses: Losses,
    actions: VecDeque<Action>,
    counters: Counters,
    /// The latest time by which the driver was to hand in something.
    expected: Option<Time>,
    /// Whether a timer for the next pulse is armed.
    pulsing: bool,
    next_socket: u32,
    /// Limits how often sessions begin.
    sessions: Meter,
    /// Workers that were kept free for suspects and are not any more.
    released: Vec<WorkerKey>,
    /// Services in which suspects may be waiting.
    suspected: Vec<ServiceIndex>,
}

impl Master {
    /// A master without workers or jobs. `seed` makes its sessions: take it from the operating system's random numbers,
    /// unless the run is to be repeated.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config: config.within_limits(),
            random: StdRng::seed_from_u64(seed),
            phase: Phase::Running,
            jobs: Jobs::default(),
            services: Services::default(),
            workers: Workers::default(),
            pool: Pool::default(),
            timers: Timers::default(),
            probing: Probing::default(),
            losses: Losses::default(),
            actions: VecDeque::new(),
            counters: Counters::default(),
            expected: None,
            pulsing: false,
            next_socket: 0,
            sessions: Meter::default(),
            released: Vec::new(),
            suspected: Vec::new(),
        }
    }

    /// Takes note of an event at the time `now`.
    pub fn handle(&mut self, event: Event, now: Time) {
        self.credit_pause(now);
        match event {
            Event::Submit { ticket, job } => self.submit(ticket, job, now),
            Event::Cancel { ticket } => self.cancel(ticket),
            Event::Message { peer, message } => self.message(peer, message, now),
            Event::Malformed { peer, error } => self.malformed(peer, &error),
            Event::Unreachable { peer } => self.unreachable(peer, now),
            Event::Overflow { peer } => self.overflow(peer, now),
            Event::Disconnection => self.probe_soon(now),
            Event::Exited { pid } => self.exited(pid, now),
            Event::Tick => self.tick(now),
            Event::Drain => self.drain(),
            Event::Stop => self.stop(),
        }
        self.settle(now);
        self.expected = self.timers.next().map(|at| at.max(now));
    }

    /// Has workers that became free in passing, and suspects that nobody is kept free for, find each other.
    fn settle(&mut self, now: Time) {
        loop {
            self.dispatch_released(now);
            for index in std::mem::take(&mut self.suspected) {
                self.dispatch_service(index, now);
                let waiting = self.services.get(index).suspects.len() > 0;
                if waiting && !self.suspected.contains(&index) {
                    self.suspected.push(index);
                }
            }
            if self.released.is_empty() {
                return;
            }
        }
    }

    /// The next action to perform, in order.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Event::Tick`] is due at the latest.
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Changes the bounds of the queue. What waits beyond a lower one stays.
    pub fn set_queue_limits(&mut self, max_queue_jobs: usize, max_queue_bytes: usize) {
        self.config.max_queue_jobs = max_queue_jobs;
        self.config.max_queue_bytes = max_queue_bytes;
    }

    fn send(&mut self, peer: Peer, message: ToWorker) {
        self.actions.push_back(Action::Send { peer, message });
    }

    fn message(&mut self, peer: Peer, message: FromWorker, now: Time) {
        match message {
            FromWorker::Register { session, register } => {
                self.register(peer, session, register, now);
            }
            FromWorker::Heartbeat { session } => {
                if let Some(key) = self.known(peer, session, now) {
                    let to = self.workers.get(key).map_or(peer, |worker| worker.peer);
                    self.send(to, ToWorker::Heartbeat { session });
                }
            }
            FromWorker::Result {
                session,
                key,
                code,
                elapsed_us,
                body,
            } => {
                if let Some(worker) = self.known(peer, session, now) {
                    let elapsed = Duration::from_micros(elapsed_us.into());
                    self.result(worker, key, code, elapsed, body, now);
                }
            }
            FromWorker::Drain { session } => {
                if let Some(key) = self.known(peer, session, now) {
                    self.worker_drains(key, now);
                }
            }
            FromWorker::Disconnect { session, reason } => {
                if let Some(key) = self.workers.by_session(session) {
                    tracing::debug!(session, reason = reason.name(), "worker left");
                    self.counters.workers_left += 1;
                    self.end_session(key, registration::Farewell::Left, now);
                }
            }
        }
    }

    fn tick(&mut self, now: Time) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Deadline(id) => self.deadline_passed(id, now),
                Timer::Attempt(id, attempt) => self.attempt_timed_out(id, attempt, now),
                Timer::Silence(key) => self.check_silence(key, now),
                Timer::Recall(key) => self.check_recall(key, now),
                Timer::Pulse => self.pulse(now),
                Timer::Probe => self.probe(now),
                Timer::Hold => self.check_hold(now),
            }
        }
    }

    fn cancel(&mut self, ticket: Ticket) {
        let Some(id) = self.jobs.by_ticket(ticket) else {
            return;
        };
        self.counters.cancelled += 1;
        self.give_up(id, CancelReason::Caller);
        self.forget(id);
    }

    fn deadline_passed(&mut self, id: JobId, now: Time) {
        let Some(job) = self.jobs.get(id) else { return };
        let service = self.services.get(job.service);
        let error = match job.place {
            Place::Waiting(_) if service.workers == 0 && job.attempt == 0 => {
                ExecuteError::NoWorkers {
                    service: service.name.to_string(),
                }
            }
            Place::Waiting(_) => ExecuteError::DeadlineExceeded {
                started: started(job.used),
            },
            Place::At(_) => ExecuteError::DeadlineExceeded {
                started: Started::Maybe,
            },
        };
        if let Place::Waiting(_) = job.place {
            self.counters.expired_at_master += 1;
        }
        let late = self.give_up(id, CancelReason::Deadline);
        self.complete(id, Err(error));
        if let Some(worker) = late {
            self.set_aside(worker, now);
        }
    }

    fn drain(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Draining;
        }
        self.finish_drain();
    }

    fn stop(&mut self) {
        if self.phase == Phase::Stopped {
            return;
        }
        self.phase = Phase::Draining;
        let ids: Vec<JobId> = self.jobs.iter().map(|job| job.id).collect();
        for id in ids {
            let Some(job) = self.jobs.get(id) else {
                continue;
            };
            let started = match job.place {
                Place::Waiting(_) => started(job.used),
                Place::At(_) => Started::Maybe,
            };
            self.give_up(id, CancelReason::Caller);
            self.complete(id, Err(ExecuteError::ShuttingDown { started }));
        }
        self.finish_drain();
    }

    /// Says good-bye to the workers once the last job of a draining master has had its outcome.
    fn finish_drain(&mut self) {
        if self.phase != Phase::Draining || self.jobs.len() > 0 {
            return;
        }
        self.phase = Phase::Stopped;
        for key in self.workers.keys() {
            let Some(worker) = self.workers.get(key) else {
                continue;
            };
            let farewell = ToWorker::Disconnect {
                session: key.session,
                reason: DisconnectReason::Shutdown,
            };
            self.send(worker.peer, farewell);
            self.remove_worker(key);
        }
        self.actions.push_back(Action::Drained);
    }
}

/// Whether a job that waits may have been started by one of the attempts before.
fn started(used: u8) -> Started {
    if used == 0 {
        Started::No
    } else {
        Started::Maybe
    }
}

/// The attempts that a job may have.
fn allowed_attempts(asked: u8) -> u8 {
    asked.clamp(1, MAX_ATTEMPTS)
}
