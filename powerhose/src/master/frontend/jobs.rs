//! Jobs on their way from clients to the master's core, and their outcomes on the way back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::clients::ClientKey;
use super::{Frontend, FrontendAction, Phase};
use crate::error::{ExecuteError, Started};
use crate::master::{NewJob, Ticket};
use crate::time::Time;
use crate::wire::limits::MAX_METADATA;
use crate::wire::{OutcomeCode, Reply, ServiceName, Submit, ToClient};

/// When a client that has as many jobs under way as it may is to try again. It knows better itself: when a reply comes.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// The most names of services kept, so that a job needs no copy of its own.
const MAX_NAMES: usize = 1024;

/// Marks the tickets of the frontend among others.
const OF_FRONTEND: u64 = 1 << 63;

/// A job that the master's core has.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) ticket: Ticket,
    pub(super) client: ClientKey,
    pub(super) sequence: u64,
    pub(super) bytes: usize,
}

/// How many of a ticket's bits are the job's place in the table.
const PLACE_BITS: u32 = 32;

/// A ticket for a job at this place. The number tells it from those that had the place before: of one that was withdrawn the
/// outcome may be on its way.
fn ticket(place: usize, number: u64) -> Ticket {
    let place = u64::try_from(place).unwrap_or(u64::MAX) & (u64::from(u32::MAX));
    Ticket(OF_FRONTEND | (number << PLACE_BITS & !OF_FRONTEND) | place)
}

/// The place in a ticket.
fn place(ticket: Ticket) -> usize {
    usize::try_from(ticket.0 & u64::from(u32::MAX)).unwrap_or(usize::MAX)
}

impl Ticket {
    /// Whether the job was submitted by a client, by a [`Frontend`].
    pub fn is_of_frontend(self) -> bool {
        self.0 & OF_FRONTEND != 0
    }
}

impl Frontend {
    pub(super) fn submit(&mut self, key: ClientKey, submit: Submit, now: Time) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        if submit.sequence <= client.submitted {
            self.counters.duplicates += 1;
            return;
        }
        client.submitted = submit.sequence;
        self.counters.submitted += 1;
        if let Err(error) = self.admit(key, &submit) {
            let reply = Reply::new(submit.sequence, Err(error));
            return self.reply(key, reply);
        }
        let entry = self.jobs.vacant_entry();
        let ticket = ticket(entry.key(), self.counters.submitted);
        entry.insert(Job {
            ticket,
            client: key,
            sequence: submit.sequence,
            bytes: submit.body.len(),
        });
        if let Some(client) = self.clients.get_mut(key) {
            client.jobs.insert(submit.sequence, ticket);
            client.bytes += submit.body.len();
        }
        let timeout = submit.attempt_timeout_ms;
        let job = NewJob {
            service: self.name(&submit.service),
            body: submit.body,
            metadata: submit.metadata,
            deadline: now + Duration::from_millis(submit.budget_ms.into()),
            attempt_timeout: timeout.map(|timeout| Duration::from_millis(timeout.into())),
            attempts: submit.attempts,
            at_most_once: submit.at_most_once,
            // 0 is the master's own process.
            client: key.index.saturating_add(1),
        };
        self.actions
            .push_back(FrontendAction::Submit { ticket, job });
    }

    fn admit(&self, key: ClientKey, submit: &Submit) -> Result<(), ExecuteError> {
        if self.phase != Phase::Running {
            let started = Started::No;
            return Err(ExecuteError::ShuttingDown { started });
        }
        if (submit.metadata.as_ref()).is_some_and(|metadata| metadata.len() > MAX_METADATA) {
            return Err(ExecuteError::TooLarge {
                what: "metadata",
                limit: MAX_METADATA,
            });
        }
        if submit.body.len() > self.config.max_body {
            return Err(ExecuteError::TooLarge {
                what: "payload",
                limit: self.config.max_body,
            });
        }
        let Some(client) = self.clients.get(key) else {
            return Ok(());
        };
        let bytes = client.bytes.saturating_add(submit.body.len());
        // A single job may be larger than the bound.
        let is_full = client.jobs.len() >= self.config.max_client_jobs
            || (bytes > self.config.max_client_bytes && !client.jobs.is_empty());
        if is_full {
            let retry_after = RETRY_AFTER;
            return Err(ExecuteError::Overloaded { retry_after });
        }
        Ok(())
    }

    pub(super) fn withdraw(&mut self, key: ClientKey, sequence: u64) {
        let Some(client) = self.clients.get(key) else {
            return;
        };
        // Without one the reply is on its way.
        let Some(&ticket) = client.jobs.get(&sequence) else {
            return;
        };
        self.counters.withdrawn += 1;
        self.take(ticket);
        self.actions.push_back(FrontendAction::Cancel { ticket });
        let reply = Reply {
            sequence,
            code: OutcomeCode::Withdrawn,
            started: Started::Maybe,
            attempts: 0,
            detail: 0,
            body: Bytes::new(),
        };
        self.reply(key, reply);
    }

    pub(super) fn completed(&mut self, ticket: Ticket, result: Result<Bytes, ExecuteError>) {
        let Some(job) = self.take(ticket) else {
            return;
        };
        self.reply(job.client, Reply::new(job.sequence, result));
    }

    /// The job that a ticket names, if it has had no outcome.
    pub(super) fn job(&self, ticket: Ticket) -> Option<&Job> {
        (self.jobs.get(place(ticket))).filter(|job| job.ticket == ticket)
    }

    /// Takes a job out of the tables.
    pub(super) fn take(&mut self, ticket: Ticket) -> Option<Job> {
        self.job(ticket)?;
        let job = self.jobs.try_remove(place(ticket))?;
        if let Some(client) = self.clients.get_mut(job.client) {
            client.jobs.remove(&job.sequence);
            client.bytes -= job.bytes;
        }
        Some(job)
    }

    fn reply(&mut self, key: ClientKey, reply: Reply) {
        self.counters.replied += 1;
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        client.replied += 1;
        client.kept.push(reply.clone());
        while client.kept.len() > self.config.max_client_jobs
            || client.kept.bytes() > self.config.max_client_bytes
        {
            client.kept.forget_oldest();
        }
        let session = key.session;
        self.send(key, ToClient::Reply { session, reply });
    }

    /// The name of a service, shared by all jobs that name it.
    fn name(&mut self, service: &ServiceName) -> Arc<str> {
        if let Some(name) = self.names.get(service.as_str()) {
            return Arc::clone(name);
        }
        if self.names.len() >= MAX_NAMES {
            self.names.clear();
        }
        let name: Arc<str> = Arc::from(service.as_str());
        self.names.insert(Arc::clone(&name));
        name
    }
}
