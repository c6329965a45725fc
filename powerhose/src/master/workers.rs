//! The workers that hold a session.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use slab::Slab;

use super::estimate::HighQuantile;
use super::event::Peer;
use super::jobs::JobId;
use super::meter::Meter;
use super::mutants::Mutant;
use super::pool::{GroupIndex, Placement};
use super::services::ServiceIndex;
use super::stats::Latencies;
use crate::time::Time;
use crate::wire::{JobKey, Register};

/// A worker's place in the table and its session: it never names another worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct WorkerKey {
    pub(super) index: u32,
    pub(super) session: u64,
}

/// An attempt that a worker has been sent and has not answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Assignment {
    pub(super) key: JobKey,
    pub(super) sent: Time,
    pub(super) wanted: Wanted,
}

/// Whether somebody waits for the answer to an attempt. The slot is taken until it comes in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Yes,
    /// Yes, but the worker was asked to hand it back if it has not started it.
    AskedBack,
    /// The caller went away, or the job was taken back before the worker came to it.
    No,
    /// It took too long, so the worker is set aside until it answers.
    Overdue,
}

impl Wanted {
    pub(super) fn is_wanted(self) -> bool {
        matches!(self, Self::Yes | Self::AskedBack)
    }
}

/// Why other work is kept away from a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exclusive {
    /// It finishes what it has, to be idle for a suspect of this service.
    Reserved(ServiceIndex),
    /// It has this suspect and nothing else.
    Suspect(JobId),
}

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) key: WorkerKey,
    pub(super) peer: Peer,
    /// The connection to the worker's own socket, if jobs go there.
    pub(super) socket: Option<u32>,
    pub(super) registration: Register,
    /// The services of the registration, in its order.
    pub(super) services: Vec<ServiceIndex>,
    pub(super) group: GroupIndex,
    /// Where the worker stands in its group's order.
    pub(super) placement: Option<Placement>,
    /// In the order in which they were sent: the first ones, as many as slots, count as started.
    pub(super) in_flight: VecDeque<Assignment>,
    /// How many of them were given up because they took too long. As long as there is one, the worker is set aside with all of
    /// its slots: what holds up one handler, such as a starved processor or a dead disk, holds up the next one too.
    pub(super) overdue: usize,
    pub(super) exclusive: Option<Exclusive>,
    pub(super) draining: bool,
    /// It was too slow for what had been sent ahead, and has not finished a job since.
    pub(super) stalled: bool,
    pub(super) registered: Time,
    /// Limits how often it registers.
    pub(super) meter: Meter,
    pub(super) last_seen: Time,
    pub(super) last_result: Time,
    pub(super) recall_armed: bool,
    pub(super) service_time: HighQuantile,
    pub(super) latencies: Latencies,
    pub(super) completed: u64,
    pub(super) failed: u64,
}

impl Worker {
    pub(super) fn slots(&self) -> usize {
        usize::from(self.registration.slots)
    }

    /// Whether a registration is that of this worker, come again.
    pub(super) fn offers_the_same(&self, register: &Register) -> bool {
        let mine = &self.registration;
        mine.services == register.services
            && mine.slots == register.slots
            && mine.socket == register.socket
    }

    /// Where jobs are sent.
    pub(super) fn job_peer(&self) -> Peer {
        self.socket.map_or(self.peer, Peer::Socket)
    }

    pub(super) fn take_assignment(&mut self, key: JobKey) -> Option<Assignment> {
        // Results come about in the order of the jobs, so this ends within the first few.
        let index = self.in_flight.iter().position(|assignment| {
            let same_job = assignment.key.job == key.job && Mutant::AttemptIgnored.is_planted();
            assignment.key == key || same_job
        })?;
        self.in_flight.remove(index)
    }
}

/// The jobs whose attempts somebody waits for, in the order in which they were sent.
pub(super) fn wanted_jobs(attempts: &VecDeque<Assignment>) -> Vec<JobId> {
    (attempts.iter())
        .filter(|assignment| assignment.wanted.is_wanted())
        .map(|assignment| JobId(assignment.key.job))
        .collect()
}

#[derive(Debug, Default)]
pub(super) struct Workers {
    table: Slab<Worker>,
    by_session: FxHashMap<u64, u32>,
    by_peer: FxHashMap<Peer, u32>,
}

impl Workers {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The key that the next worker gets with this session.
    pub(super) fn next_key(&self, session: u64) -> WorkerKey {
        let index = u32::try_from(self.table.vacant_key()).unwrap_or(u32::MAX);
        WorkerKey { index, session }
    }

    /// Enters a worker whose key is [`next_key`](Self::next_key).
    pub(super) fn insert(&mut self, worker: Worker) {
        self.by_session.insert(worker.key.session, worker.key.index);
        self.by_peer.insert(worker.peer, worker.key.index);
        if let Some(socket) = worker.socket {
            self.by_peer.insert(Peer::Socket(socket), worker.key.index);
        }
        self.table.insert(worker);
    }

    pub(super) fn remove(&mut self, key: WorkerKey) -> Option<Worker> {
        self.get(key)?;
        let worker = self.table.remove(key.index as usize);
        self.by_session.remove(&key.session);
        self.by_peer.remove(&worker.peer);
        if let Some(socket) = worker.socket {
            self.by_peer.remove(&Peer::Socket(socket));
        }
        Some(worker)
    }

    /// Moves a worker to the connections over which it resumed its session.
    pub(super) fn rebind(&mut self, key: WorkerKey, peer: Peer, socket: Option<u32>) {
        let Some(worker) = self.table.get_mut(key.index as usize) else {
            return;
        };
        let before = std::mem::replace(&mut worker.socket, socket);
        if let Some(before) = before {
            self.by_peer.remove(&Peer::Socket(before));
        }
        if let Some(socket) = socket {
            self.by_peer.insert(Peer::Socket(socket), key.index);
        }
        self.by_peer.remove(&worker.peer);
        worker.peer = peer;
        self.by_peer.insert(peer, key.index);
    }

    pub(super) fn get(&self, key: WorkerKey) -> Option<&Worker> {
        self.table
            .get(key.index as usize)
            .filter(|worker| worker.key == key)
    }

    pub(super) fn get_mut(&mut self, key: WorkerKey) -> Option<&mut Worker> {
        self.table
            .get_mut(key.index as usize)
            .filter(|worker| worker.key == key)
    }

    pub(super) fn at(&self, index: u32) -> Option<WorkerKey> {
        self.table.get(index as usize).map(|worker| worker.key)
    }

    pub(super) fn by_session(&self, session: u64) -> Option<WorkerKey> {
        self.at(*self.by_session.get(&session)?)
    }

    pub(super) fn by_peer(&self, peer: Peer) -> Option<WorkerKey> {
        self.at(*self.by_peer.get(&peer)?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Worker> {
        self.table.iter().map(|(_, worker)| worker)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.table.iter_mut().map(|(_, worker)| worker)
    }

    pub(super) fn keys(&self) -> Vec<WorkerKey> {
        self.iter().map(|worker| worker.key).collect()
    }
}
