//! The core of the frontend: who the clients of a standalone master are, which jobs are theirs, and what they have been told.
//!
//! It stands in front of a [`Master`](super::Master) and is driven by the same thread in the same way: [`handle`](Frontend::handle)
//! with what happened, then [`poll_action`](Frontend::poll_action) until it gives `None`; `Tick` when
//! [`next_deadline`](Frontend::next_deadline) is reached, after everything received. What it submits and cancels goes to the
//! master's core, whose outcomes come back as [`FrontendEvent::Completed`].
//!
//! # What it promises
//!
//! - A job that it takes gets one reply, or none if its session ends first.
//! - Nothing is submitted twice: the numbers of a client's jobs only rise.
//! - A session that is resumed misses no reply, and gets none twice.
//! - What is kept for a client is bounded: its jobs, their payloads, replies and their results.
//! - The same events with the same times and seed give the same actions.

mod check;
mod clients;
mod config;
mod event;
mod jobs;
mod liveness;
mod sessions;
mod snapshot;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;
use slab::Slab;

use self::clients::{ClientKey, Clients};
use self::jobs::Job;
use self::liveness::Timer;
use super::meter::Meter;
use super::probing::Probing;
use crate::time::Time;
use crate::wire::{DisconnectReason, FromClient, RejectReason, ToClient, WireError};

pub use config::FrontendConfig;
pub use event::{FrontendAction, FrontendEvent};
pub use snapshot::{ClientSnapshot, ClientState, FrontendCounters};

/// Where the frontend stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Draining,
    Finished,
}

/// The core of the frontend; the [module](self) says how to drive it.
#[derive(Debug)]
pub struct Frontend {
    config: FrontendConfig,
    random: StdRng,
    phase: Phase,
    clients: Clients,
    jobs: Slab<Job>,
    names: HashSet<Arc<str>>,
    timers: BinaryHeap<Reverse<(Time, Timer)>>,
    probing: Probing,
    /// Limits how often sessions begin.
    sessions: Meter,
    actions: VecDeque<FrontendAction>,
    counters: FrontendCounters,
    /// The latest time by which the driver was to hand in something.
    expected: Option<Time>,
    /// Whether a timer for the next pulse is armed.
    pulsing: bool,
    /// The highest that the limits of a client's jobs and bytes have been: what is beyond lower ones stays.
    highest_jobs: usize,
    highest_bytes: usize,
}

impl Frontend {
    /// A frontend without clients. `seed` makes its sessions: take it from the operating system's random numbers, unless the run is
    /// to be repeated.
    pub fn new(config: FrontendConfig, seed: u64) -> Self {
        let config = config.within_limits();
        Self {
            highest_jobs: config.max_client_jobs,
            highest_bytes: config.max_client_bytes,
            config,
            random: StdRng::seed_from_u64(seed),
            phase: Phase::Running,
            clients: Clients::default(),
            jobs: Slab::new(),
            names: HashSet::new(),
            timers: BinaryHeap::new(),
            probing: Probing::default(),
            sessions: Meter::default(),
            actions: VecDeque::new(),
            counters: FrontendCounters::default(),
            expected: None,
            pulsing: false,
        }
    }

    /// Takes note of an event at the time `now`.
    pub fn handle(&mut self, event: FrontendEvent, now: Time) {
        self.credit_pause(now);
        match event {
            FrontendEvent::Message {
                connection,
                message,
            } => self.message(connection, message, now),
            FrontendEvent::Malformed { connection, error } => self.malformed(connection, &error),
            FrontendEvent::Completed { ticket, result } => self.completed(ticket, result),
            FrontendEvent::Unreachable { connection } => self.unreachable(connection, now),
            FrontendEvent::Overflow { connection } => self.overflow(connection),
            FrontendEvent::Disconnection => self.probe_soon(now),
            FrontendEvent::Tick => self.tick(now),
            FrontendEvent::Drain => self.drain(),
            FrontendEvent::Finish => self.finish(),
        }
        self.expected = self.next_deadline().map(|at| at.max(now));
    }

    /// The next action to perform, in order.
    pub fn poll_action(&mut self) -> Option<FrontendAction> {
        self.actions.pop_front()
    }

    /// When [`FrontendEvent::Tick`] is due at the latest.
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// Changes the limits of clients' jobs. Clients learn of it when they open or resume a session.
    pub fn set_limits(&mut self, max_client_jobs: usize, max_client_bytes: usize) {
        let config = FrontendConfig {
            max_client_jobs,
            max_client_bytes,
            ..self.config.clone()
        };
        self.config = config.within_limits();
        self.highest_jobs = self.highest_jobs.max(self.config.max_client_jobs);
        self.highest_bytes = self.highest_bytes.max(self.config.max_client_bytes);
    }

    fn message(&mut self, connection: u64, message: FromClient, now: Time) {
        match message {
            FromClient::Open { session, open } => self.open(connection, session, open, now),
            FromClient::Heartbeat { session, received } => {
                if let Some(key) = self.known(connection, session, now) {
                    if let Some(client) = self.clients.get_mut(key) {
                        client.acknowledge(received);
                    }
                    self.send(key, ToClient::Heartbeat { session });
                }
            }
            FromClient::Submit { session, submit } => {
                if let Some(key) = self.known(connection, session, now) {
                    self.submit(key, submit, now);
                }
            }
            FromClient::Withdraw { session, sequence } => {
                if let Some(key) = self.known(connection, session, now) {
                    self.withdraw(key, sequence);
                }
            }
            FromClient::Disconnect { session, reason } => {
                let here = self.clients.by_connection(connection);
                if let Some(key) = here.filter(|key| key.session == session) {
                    tracing::debug!(session, reason = reason.name(), "client left");
                    self.counters.left += 1;
                    self.end_session(key);
                }
            }
            FromClient::Status if !self.config.answers_status => {
                let message = "STATUS is answered at the endpoint for operators";
                self.reject(connection, 0, RejectReason::UnknownCommand, message);
            }
            FromClient::Status => {
                self.actions
                    .push_back(FrontendAction::Report { connection });
            }
        }
    }

    fn malformed(&mut self, connection: u64, error: &WireError) {
        self.counters.malformed += 1;
        if let WireError::Version { .. } = error {
            self.counters.other_versions += 1;
        }
        self.reject(connection, 0, error.reject_reason(), &error.to_string());
    }

    /// Sends a message to a client, if it is there.
    fn send(&mut self, key: ClientKey, message: ToClient) {
        let connection = (self.clients.get(key)).and_then(|client| client.connection);
        if let Some(connection) = connection {
            self.actions.push_back(FrontendAction::Send {
                connection,
                message,
            });
        }
    }

    fn drain(&mut self) {
        if self.phase != Phase::Running {
            return;
        }
        self.phase = Phase::Draining;
        for (key, _) in self.clients.attached() {
            let session = key.session;
            self.send(key, ToClient::Drain { session });
        }
    }

    fn finish(&mut self) {
        self.phase = Phase::Finished;
        let keys: Vec<_> = self.clients.iter().map(|client| client.key).collect();
        for key in keys {
            self.dismiss(key, DisconnectReason::Shutdown);
        }
    }
}
