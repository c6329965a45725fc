//! The jobs under way, and whose they are.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use slab::Slab;

use super::event::{NewJob, Ticket};
use super::services::ServiceIndex;
use super::workers::WorkerKey;
use crate::time::Time;

/// The number of a job on the wire: a serial number in the low half, so that jobs are numbered in sequence, and a place in
/// the table in the high half. Together they never name another job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct JobId(pub(super) u64);

impl JobId {
    fn new(index: usize, serial: u32) -> Self {
        Self((index as u64) << 32 | u64::from(serial))
    }

    fn index(self) -> usize {
        (self.0 >> 32) as usize
    }

    /// Grows with each job, until it starts over after four thousand million.
    pub(super) fn serial(self) -> u32 {
        self.0 as u32
    }
}

/// Whose job it is, for taking turns: a place in the table of clients that have jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin(u32);

/// A client that has jobs.
#[derive(Debug)]
struct Client {
    name: u32,
    jobs: usize,
    /// The number of the attempt with which it last had its turn.
    served: u64,
}

/// Which of a service's queues a waiting job stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// May be sent ahead to a busy worker.
    Ordinary,
    /// Must not be started twice, so it waits for a free slot.
    AtMostOnce,
    /// Was at a worker that died, so it waits for an idle worker and is sent to it alone.
    Suspect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Waiting(Lane),
    At(WorkerKey),
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) ticket: Ticket,
    pub(super) service: ServiceIndex,
    pub(super) body: Bytes,
    pub(super) metadata: Option<Bytes>,
    pub(super) submitted: Time,
    pub(super) deadline: Time,
    pub(super) attempt_timeout: Option<Duration>,
    /// The most attempts that may have started.
    pub(super) attempts: u8,
    pub(super) at_most_once: bool,
    pub(super) place: Place,
    /// The number of the latest attempt; 0 before the first.
    pub(super) attempt: u8,
    /// The attempts that may have started: all but those handed back.
    pub(super) used: u8,
    /// Whether a worker died while it had the job: from then on it is sent alone.
    pub(super) suspected: bool,
    /// The workers that died while this was their only job.
    pub(super) deaths_alone: u8,
    pub(super) origin: Origin,
    /// Whether it waits among those that were sent before and came back.
    pub(super) comes_again: bool,
    pub(super) previous: Option<JobId>,
    pub(super) next: Option<JobId>,
}

impl Job {
    /// The lane in which the job waits.
    pub(super) fn lane(&self) -> Lane {
        if self.suspected {
            Lane::Suspect
        } else if self.at_most_once {
            Lane::AtMostOnce
        } else {
            Lane::Ordinary
        }
    }
}

/// Every job that has been accepted and has had no outcome yet.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    table: Slab<Job>,
    by_ticket: FxHashMap<Ticket, JobId>,
    serial: u32,
    clients: Slab<Client>,
    by_client: FxHashMap<u32, Origin>,
    turns: u64,
    pub(super) waiting: usize,
    pub(super) waiting_bytes: usize,
}

impl Jobs {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn insert(
        &mut self,
        ticket: Ticket,
        new: NewJob,
        service: ServiceIndex,
        now: Time,
    ) -> JobId {
        let origin = self.enter(new.client);
        let entry = self.table.vacant_entry();
        self.serial = self.serial.wrapping_add(1);
        let id = JobId::new(entry.key(), self.serial);
        let lane = if new.at_most_once {
            Lane::AtMostOnce
        } else {
            Lane::Ordinary
        };
        entry.insert(Job {
            id,
            ticket,
            service,
            body: new.body,
            metadata: new.metadata,
            submitted: now,
            deadline: new.deadline,
            attempt_timeout: new.attempt_timeout,
            attempts: if new.at_most_once {
                1
            } else {
                new.attempts.max(1)
            },
            at_most_once: new.at_most_once,
            place: Place::Waiting(lane),
            attempt: 0,
            used: 0,
            suspected: false,
            deaths_alone: 0,
            origin,
            comes_again: false,
            previous: None,
            next: None,
        });
        self.by_ticket.insert(ticket, id);
        id
    }

    pub(super) fn by_ticket(&self, ticket: Ticket) -> Option<JobId> {
        self.by_ticket.get(&ticket).copied()
    }

    pub(super) fn get(&self, id: JobId) -> Option<&Job> {
        self.table.get(id.index()).filter(|job| job.id == id)
    }

    pub(super) fn get_mut(&mut self, id: JobId) -> Option<&mut Job> {
        self.table.get_mut(id.index()).filter(|job| job.id == id)
    }

    /// Takes a job that stands in no queue out of the table.
    pub(super) fn remove(&mut self, id: JobId) -> Option<Job> {
        self.get(id)?;
        let job = self.table.remove(id.index());
        self.by_ticket.remove(&job.ticket);
        let client = &mut self.clients[job.origin.0 as usize];
        client.jobs -= 1;
        if client.jobs == 0 {
            let client = self.clients.remove(job.origin.0 as usize);
            self.by_client.remove(&client.name);
        }
        Some(job)
    }

    /// Counts a job of a client.
    fn enter(&mut self, name: u32) -> Origin {
        let clients = &mut self.clients;
        let origin = *self.by_client.entry(name).or_insert_with(|| {
            // Whoever comes with its first job goes behind those that wait, as if it had just had its turn.
            let served = self.turns;
            let index = clients.insert(Client {
                name,
                jobs: 0,
                served,
            });
            // There are no more clients than jobs, which have 32 bits for their places.
            Origin(u32::try_from(index).unwrap_or(u32::MAX))
        });
        self.clients[origin.0 as usize].jobs += 1;
        origin
    }

    /// A client that has jobs.
    pub(super) fn origin(&self, client: u32) -> Option<Origin> {
        self.by_client.get(&client).copied()
    }

    /// What the jobs of different queues are compared by: those come first whose client has waited longest for its turn, then
    /// the oldest.
    pub(super) fn precedence(&self, id: JobId) -> Option<(u64, Time, u32)> {
        let job = self.get(id)?;
        let served = self.served(job.origin);
        Some((served, job.submitted, job.id.serial()))
    }

    /// When a client last had its turn, as the number of that turn.
    pub(super) fn served(&self, client: Origin) -> u64 {
        self.clients[client.0 as usize].served
    }

    /// Takes note that a client has had its turn.
    pub(super) fn had_turn(&mut self, client: Origin) {
        self.turns += 1;
        self.clients[client.0 as usize].served = self.turns;
    }

    /// Counts a job among those that wait.
    pub(super) fn now_waits(&mut self, id: JobId) {
        self.waiting += 1;
        self.waiting_bytes += self.get(id).map_or(0, |job| job.body.len());
    }

    /// Counts it among them no more.
    pub(super) fn waits_no_more(&mut self, id: JobId) {
        self.waiting -= 1;
        self.waiting_bytes -= self.get(id).map_or(0, |job| job.body.len());
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Job> {
        self.table.iter().map(|(_, job)| job)
    }
}

/// The name of a service, shared by everything that mentions it.
pub(super) type ServiceName = Arc<str>;
