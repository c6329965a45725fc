//! The client's side of the protocol, sans I/O: which master has which job, and what becomes of it when that one is lost.
//!
//! Whoever drives a [`Core`] hands in what happened, then takes everything out of [`poll_output`](Core::poll_output) and does it in
//! order; `Tick` when [`next_deadline`](Core::next_deadline) is reached, after everything received. protocol.md, section "States of a
//! client", has the table of states and events; *Idle* is one more, for masters that are not needed.
//!
//! # Invariants
//! - A job has exactly one outcome, or none if it was cancelled first.
//! - A job that must not be started twice is submitted at most once; any other once for each session that ended, within its attempts.
//! - No message of one session is sent in another.

mod config;
mod event;
mod jobs;
mod link;
mod sessions;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use rand::SeedableRng;
use rand::rngs::SmallRng;

use self::jobs::Job;
use self::link::{Link, State};
use crate::error::{ExecuteError, Started};
use crate::master::Ticket;
use crate::time::Time;

pub(crate) use config::CoreConfig;
pub(crate) use event::{Input, Output};

/// The core of a client; the [module](self) says how to drive it.
#[derive(Debug)]
pub(crate) struct Core {
    config: CoreConfig,
    random: SmallRng,
    links: Vec<Link>,
    jobs: HashMap<Ticket, Job>,
    waiting: Waiting,
    deadlines: BTreeSet<(Time, Ticket)>,
    outputs: VecDeque<Output>,
    close_at: Option<Time>,
    is_closed: bool,
    /// The latest time by which the driver was to hand in something.
    expected: Option<Time>,
}

/// The jobs that no master has, in order.
#[derive(Debug, Default)]
struct Waiting {
    queue: BTreeMap<i64, Ticket>,
    bytes: usize,
}

impl Waiting {
    fn next_back(&self) -> i64 {
        (self.queue.last_key_value()).map_or(0, |(last, _)| last + 1)
    }

    fn next_front(&self) -> i64 {
        (self.queue.first_key_value()).map_or(0, |(first, _)| first - 1)
    }
}

impl Core {
    pub(crate) fn new(config: CoreConfig, seed: u64) -> Self {
        Self {
            links: (0..config.masters).map(|_| Link::new()).collect(),
            config,
            random: SmallRng::seed_from_u64(seed),
            jobs: HashMap::new(),
            waiting: Waiting::default(),
            deadlines: BTreeSet::new(),
            outputs: VecDeque::new(),
            close_at: None,
            is_closed: false,
            expected: None,
        }
    }

    /// Takes note of what happened at the time `now`.
    pub(crate) fn handle(&mut self, input: Input, now: Time) {
        if self.is_closed {
            return;
        }
        self.credit_pause(now);
        match input {
            Input::Submit { ticket, job } => self.submit(ticket, job, now),
            Input::Cancel { ticket } => self.cancel(ticket),
            Input::Message { link, message } => self.message(link, message, now),
            Input::Broken { link, is_local } => self.broken(link, is_local, now),
            Input::Tick => {
                self.check_links(now);
                self.check_deadlines(now);
            }
            Input::Close { at } => {
                self.close_at = Some(self.close_at.map_or(at, |before| before.min(at)));
            }
        }
        self.close_if_due(now);
        self.expected = self.next_deadline().map(|at| at.max(now));
    }

    /// What to do next.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The master that jobs are submitted to at present.
    pub(crate) fn serving(&self) -> Option<usize> {
        (self.links.iter()).position(|link| link.state == State::Open)
    }

    /// When `Tick` is due at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        if self.is_closed {
            return None;
        }
        let links = self.links.iter().filter_map(Link::next_deadline).min();
        let jobs = self.deadlines.first().map(|(due, _)| *due);
        // A core that has just been made has to begin.
        let begin = (self.links.iter().all(|link| link.state == State::Idle)).then_some(Time::ZERO);
        [links, jobs, self.close_at, begin]
            .into_iter()
            .flatten()
            .min()
    }

    fn close_if_due(&mut self, now: Time) {
        let Some(at) = self.close_at else { return };
        if !self.jobs.is_empty() && now < at {
            return;
        }
        let mut left: Vec<Ticket> = self.jobs.keys().copied().collect();
        left.sort_unstable();
        for ticket in left {
            let submitted = self
                .jobs
                .get(&ticket)
                .is_some_and(|job| job.submissions > 0);
            let started = if submitted {
                Started::Maybe
            } else {
                Started::No
            };
            self.finish(ticket, Err(ExecuteError::ShuttingDown { started }));
        }
        for at in 0..self.links.len() {
            if self.links[at].state != State::Idle {
                self.part(at);
            }
        }
        self.is_closed = true;
        self.outputs.push_back(Output::Closed);
    }
}
