//! What a client has with one master: a session, or the way to one.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;

use crate::master::Ticket;
use crate::time::Time;
use crate::wire::Opened;
use crate::wire::limits::{BACKOFF_FIRST, BACKOFF_LIMIT};

/// The states of protocol.md's table of clients, and one in which nothing is wanted of the master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// A master earlier in the order serves.
    Idle,
    /// Waits before it tries.
    Backoff { until: Time },
    /// Has sent OPEN and waits for the answer.
    Opening { until: Time },
    /// Has a session.
    Open,
    /// Has a session in which nothing more is submitted.
    Draining,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) state: State,
    pub(super) session: Option<Session>,
    /// Attempts to get a session that failed since the last one.
    pub(super) failures: u32,
}

/// A session, alive or kept to be resumed.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: u64,
    pub(super) terms: Opened,
    /// When the connection was lost, if it is.
    pub(super) lost: Option<Time>,
    pub(super) last_heard: Time,
    pub(super) next_ping: Time,
    /// The number of the last job submitted.
    pub(super) submitted: u64,
    /// Jobs without a reply by number. `None`: its outcome has been given otherwise.
    pub(super) in_flight: BTreeMap<u64, InFlight>,
    /// Their payloads in bytes.
    pub(super) bytes: usize,
    /// Replies received, and what was received since the master was last told.
    pub(super) received: u64,
    pub(super) unacknowledged: u64,
    pub(super) unacknowledged_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct InFlight {
    pub(super) ticket: Option<Ticket>,
    pub(super) bytes: usize,
}

impl Link {
    pub(super) fn new() -> Self {
        Self {
            state: State::Idle,
            session: None,
            failures: 0,
        }
    }

    /// Whether messages can be sent in the session.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Open | State::Draining)
    }

    /// Waits before the next attempt: not at all after the first loss, then longer with each failure.
    pub(super) fn back_off(&mut self, now: Time, random: &mut SmallRng) {
        let delay = if self.failures == 0 {
            Duration::ZERO
        } else {
            let doublings = (self.failures - 1).min(16);
            let longest = (BACKOFF_FIRST * (1 << doublings)).min(BACKOFF_LIMIT);
            longest.mul_f64(random.random_range(0.5..=1.0))
        };
        self.failures = self.failures.saturating_add(1);
        self.state = State::Backoff { until: now + delay };
    }

    /// When something is due, besides the deadlines of jobs.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let own = match self.state {
            State::Backoff { until } | State::Opening { until } => Some(until),
            State::Idle | State::Open | State::Draining => None,
        };
        let session = self.session.as_ref().map(|session| match session.lost {
            Some(lost) => lost + session.grace(),
            None => session.next_ping.min(session.silent_at()),
        });
        [own, session].into_iter().flatten().min()
    }
}

impl Session {
    pub(super) fn new(id: u64, terms: Opened, now: Time) -> Self {
        let heartbeat = Duration::from_millis(terms.heartbeat_ms.into());
        Self {
            id,
            terms,
            lost: None,
            last_heard: now,
            next_ping: now + heartbeat,
            submitted: 0,
            in_flight: BTreeMap::new(),
            bytes: 0,
            received: 0,
            unacknowledged: 0,
            unacknowledged_bytes: 0,
        }
    }

    pub(super) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.terms.heartbeat_ms.into())
    }

    pub(super) fn grace(&self) -> Duration {
        Duration::from_millis(self.terms.grace_ms.into())
    }

    pub(super) fn silent_at(&self) -> Time {
        self.last_heard + self.heartbeat().saturating_mul(self.terms.misses)
    }

    /// Whether the terms allow one more job.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let max_jobs = usize::try_from(self.terms.max_jobs).unwrap_or(usize::MAX);
        let max_bytes = usize::try_from(self.terms.max_bytes).unwrap_or(usize::MAX);
        self.in_flight.len() < max_jobs
            && (self.in_flight.is_empty() || self.bytes.saturating_add(bytes) <= max_bytes)
    }
}
