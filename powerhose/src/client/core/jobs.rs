//! Jobs: waiting for a master, with one, and when their time is up.

use std::time::Duration;

use bytes::Bytes;

use super::config::REPLY_SLACK;
use super::link::InFlight;
use super::{Core, Output};
use crate::error::{ExecuteError, Started};
use crate::master::{NewJob, Ticket};
use crate::time::Time;
use crate::wire::{FromClient, ServiceName, Submit, is_service_name};

/// When to try again after the queue was full.
const RETRY_AFTER: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Job {
    pub(super) new: NewJob,
    pub(super) place: Place,
    /// How many sessions it was submitted in.
    pub(super) submissions: u8,
    /// When it is looked at next.
    pub(super) due: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Waiting { position: i64 },
    At { link: usize, sequence: u64 },
}

impl Core {
    pub(super) fn submit(&mut self, ticket: Ticket, new: NewJob, now: Time) {
        if let Err(error) = self.admit(&new) {
            return self.complete(ticket, Err(error));
        }
        let due = new.deadline;
        let place = Place::Waiting {
            position: self.waiting.next_back(),
        };
        self.deadlines.insert((due, ticket));
        let submissions = 0;
        self.enqueue(ticket, place, new.body.len());
        let job = Job {
            new,
            place,
            submissions,
            due,
        };
        self.jobs.insert(ticket, job);
        self.pump(now);
    }

    fn admit(&self, new: &NewJob) -> Result<(), ExecuteError> {
        if self.close_at.is_some() {
            let started = Started::No;
            return Err(ExecuteError::ShuttingDown { started });
        }
        if !is_service_name(&new.service) {
            return Err(ExecuteError::InvalidService {
                service: new.service.to_string(),
            });
        }
        let bytes = self.waiting.bytes.saturating_add(new.body.len());
        let is_full = self.waiting.queue.len() >= self.config.max_queue_jobs
            || (bytes > self.config.max_queue_bytes && !self.waiting.queue.is_empty());
        if is_full {
            return Err(ExecuteError::Overloaded {
                retry_after: RETRY_AFTER,
            });
        }
        Ok(())
    }

    pub(super) fn enqueue(&mut self, ticket: Ticket, place: Place, bytes: usize) {
        if let Place::Waiting { position } = place {
            self.waiting.queue.insert(position, ticket);
            self.waiting.bytes += bytes;
        }
    }

    /// Submits what waits, as far as the terms of the session allow.
    pub(super) fn pump(&mut self, now: Time) {
        let Some(link) = self.serving() else { return };
        while let Some((&position, &ticket)) = self.waiting.queue.first_key_value() {
            let (Some(job), Some(session)) =
                (self.jobs.get_mut(&ticket), &mut self.links[link].session)
            else {
                return;
            };
            let bytes = job.new.body.len();
            if u64::try_from(bytes).is_ok_and(|bytes| bytes > session.terms.max_body) {
                let limit = usize::try_from(session.terms.max_body).unwrap_or(usize::MAX);
                let what = "payload";
                self.finish(ticket, Err(ExecuteError::TooLarge { what, limit }));
                continue;
            }
            if !session.has_room(bytes) {
                return;
            }
            self.waiting.queue.remove(&position);
            self.waiting.bytes -= bytes;
            session.submitted += 1;
            session.bytes += bytes;
            let sequence = session.submitted;
            let ticket = Some(ticket);
            session
                .in_flight
                .insert(sequence, InFlight { ticket, bytes });
            job.place = Place::At { link, sequence };
            job.submissions += 1;
            let message = FromClient::Submit {
                session: session.id,
                submit: submission(&job.new, sequence, job.submissions, now),
            };
            self.outputs.push_back(Output::Send { link, message });
        }
    }

    pub(super) fn cancel(&mut self, ticket: Ticket) {
        self.forget(ticket);
    }

    /// Takes a job out of all tables; a master that has it is told.
    pub(super) fn forget(&mut self, ticket: Ticket) -> Option<Job> {
        let job = self.jobs.remove(&ticket)?;
        self.deadlines.remove(&(job.due, ticket));
        match job.place {
            Place::Waiting { position } => {
                self.waiting.queue.remove(&position);
                self.waiting.bytes -= job.new.body.len();
            }
            Place::At { link, sequence } => {
                let is_up = self.links[link].is_up();
                if let Some(session) = &mut self.links[link].session
                    && let Some(in_flight) = session.in_flight.get_mut(&sequence)
                {
                    in_flight.ticket = None;
                    let session = session.id;
                    if is_up {
                        let message = FromClient::Withdraw { session, sequence };
                        self.outputs.push_back(Output::Send { link, message });
                    }
                }
            }
        }
        Some(job)
    }

    /// Gives a job that has not been replied to its outcome.
    pub(super) fn finish(&mut self, ticket: Ticket, result: Result<Bytes, ExecuteError>) {
        if self.forget(ticket).is_some() {
            self.complete(ticket, result);
        }
    }

    pub(super) fn complete(&mut self, ticket: Ticket, result: Result<Bytes, ExecuteError>) {
        self.outputs.push_back(Output::Complete { ticket, result });
    }

    /// Fails the jobs whose time is up.
    pub(super) fn check_deadlines(&mut self, now: Time) {
        while let Some(&(due, ticket)) = self.deadlines.first()
            && due <= now
        {
            let Some(job) = self.jobs.get_mut(&ticket) else {
                self.deadlines.remove(&(due, ticket));
                continue;
            };
            let up = match job.place {
                Place::At { link, .. } => self.links[link].is_up(),
                Place::Waiting { .. } => false,
            };
            let patience = job.new.deadline + REPLY_SLACK;
            if up && due < patience {
                self.deadlines.remove(&(due, ticket));
                job.due = patience;
                self.deadlines.insert((patience, ticket));
                continue;
            }
            let submitted = job.submissions > 0;
            let started = if submitted {
                Started::Maybe
            } else {
                Started::No
            };
            let has_master = up || self.serving().is_some();
            let error = if has_master {
                ExecuteError::DeadlineExceeded { started }
            } else {
                ExecuteError::MasterLost { started }
            };
            self.finish(ticket, Err(error));
        }
    }
}

/// A job as it is submitted. Each session that ended with it took one of its attempts.
pub(super) fn submission(new: &NewJob, sequence: u64, submissions: u8, now: Time) -> Submit {
    let millis = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
    let service = ServiceName::new(new.service.as_bytes().to_vec());
    let attempts = new.attempts.saturating_sub(submissions.saturating_sub(1));
    Submit {
        sequence,
        budget_ms: millis(new.deadline - now),
        attempts: attempts.max(1),
        at_most_once: new.at_most_once,
        attempt_timeout_ms: new.attempt_timeout.map(millis),
        service: service.unwrap_or_default(),
        body: new.body.clone(),
        metadata: new.metadata.clone(),
    }
}
