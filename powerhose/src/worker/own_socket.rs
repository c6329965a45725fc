//! The worker's own socket, where the master brings jobs if the worker wants it so.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;

use super::control::OPTIONS;
use super::error::WorkerError;
use super::pump::LAST_WORDS;
use crate::driver::claim::Claim;
use crate::driver::endpoint::Endpoint;
use crate::driver::frames::{Parcel, Sending};
use crate::driver::poll::Poll;
use crate::driver::socket::{Options, Origin, Places, Router};
use crate::time::Time;
use crate::wire::{FromWorker, JobKey, ToWorker};

/// The most jobs whose connection is remembered. A worker holds fewer, unless its master sends jobs twice.
const MAX_ROUTES: usize = 1 << 18;

/// A ROUTER that listens on an ipc path.
///
/// A result goes back over the connection that its job came over. If that is gone, or was to an earlier life of the session, the
/// result goes to the master over the worker's DEALER.
pub(super) struct OwnSocket {
    router: Router,
    /// The connections that jobs of the present session came over.
    routes: HashMap<JobKey, u64>,
    /// The connections seen so far that belong to earlier registrations.
    old: HashSet<u64>,
    /// The connection of the present registration, once something came over it.
    current: Option<u64>,
    /// The connection of the last result. What ends the session must not overtake it.
    last: Option<u64>,
    outbox: VecDeque<(u64, FromWorker)>,
    parcel: Parcel,
    _claim: Option<Claim>,
}

impl OwnSocket {
    /// Listens at an ipc endpoint.
    pub(super) fn bind(endpoint: &Endpoint) -> Result<Self, WorkerError> {
        let claim = match endpoint {
            Endpoint::Ipc(path) => Some(Claim::new(path)?),
            Endpoint::Tcp(_) | Endpoint::Host(..) => None,
        };
        let context = zmq::Context::new();
        // What is in it for a connection that breaks is dropped all the same.
        let options = Options {
            linger: LAST_WORDS,
            ..OPTIONS
        };
        let mut router = Router::new(&context, &options, "own");
        router.bind(endpoint)?;
        Ok(Self {
            router,
            routes: HashMap::new(),
            old: HashSet::new(),
            current: None,
            last: None,
            outbox: VecDeque::new(),
            parcel: Parcel::default(),
            _claim: claim,
        })
    }

    /// Begins afresh: the master connects anew for each registration. What came for an earlier one it has given to others since, even
    /// if the session is the same.
    pub(super) fn reset(&mut self) {
        self.routes.clear();
        self.last = None;
        self.outbox.clear();
        self.old.extend(self.current.take());
        let mut frames = Vec::new();
        while let Some(origin) = self.router.receive(&mut frames) {
            frames.clear();
            if let Origin::Connection(connection) = origin {
                self.old.insert(connection);
            }
        }
    }

    /// Receives a message, if there is one, and tells the connection that it came over.
    pub(super) fn receive(&mut self, frames: &mut Vec<Bytes>) -> Option<u64> {
        if self.is_stuck() {
            return None;
        }
        loop {
            frames.clear();
            match self.router.receive(frames)? {
                Origin::Connection(connection) if !self.old.contains(&connection) => {
                    self.current = Some(connection);
                    return Some(connection);
                }
                Origin::Connection(_) => {}
                Origin::Foreign(_) => {
                    tracing::debug!("a peer with a routing id of its own is no master");
                }
            }
        }
    }

    /// Takes note of where a job came from. `session` is the present one.
    pub(super) fn note(&mut self, message: &ToWorker, connection: u64, session: u64) {
        if let ToWorker::Job {
            session: of, key, ..
        } = message
            && *of == session
        {
            if self.routes.len() >= MAX_ROUTES {
                self.routes.clear();
            }
            self.routes.insert(*key, connection);
        }
    }

    /// Sends a message if it belongs here; gives it back if not.
    pub(super) fn send(&mut self, message: FromWorker) -> Option<FromWorker> {
        let connection = match &message {
            FromWorker::Result { key, .. } => self.routes.remove(key),
            FromWorker::Disconnect { .. } => self.last,
            _ => None,
        };
        let Some(connection) = connection else {
            return Some(message);
        };
        self.last = Some(connection);
        self.outbox.push_back((connection, message));
        self.flush()
    }

    /// Sends what there is room for. Gives back a message whose connection is gone.
    pub(super) fn flush(&mut self) -> Option<FromWorker> {
        while let Some((connection, message)) = self.outbox.pop_front() {
            // A connection that is gone takes the parcel with it; a clone shares the body.
            self.parcel.for_master(message.clone());
            match self.router.send(connection, &mut self.parcel) {
                Sending::Sent => {}
                Sending::WouldBlock => {
                    self.outbox.push_front((connection, message));
                    return None;
                }
                Sending::Unreachable => return Some(message),
            }
        }
        None
    }

    /// Whether messages wait for room.
    pub(super) fn is_stuck(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Writes what was sent, as far as the master takes it.
    pub(super) fn write(&mut self, now: Time) {
        self.router.flush(now);
    }

    /// When [`write`](Self::write) has something to do that no descriptor tells of.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.router.next_deadline()
    }

    /// Has a poll look for input.
    pub(super) fn watch<'fd>(&'fd self, poll: &mut Poll<'fd>) -> Places {
        self.router.watch(poll)
    }

    /// Takes note of what the poll has found.
    pub(super) fn look(&self, poll: &Poll<'_>, places: Places) {
        self.router.note(poll, places);
    }
}
