//! Jobs: taken, started, cancelled, answered.

use std::time::Duration;

use bytes::Bytes;

use super::leave::Leaving;
use super::slots::Running;
use super::{Assignment, Link, Output, Session};
use crate::time::Time;
use crate::wire::limits::DEFAULT_MAX_PREFETCH;
use crate::wire::{CancelReason, FromWorker, JobKey, RejectReason, ResultCode, ToWorker};

/// What RESULT says.
pub(super) struct Answer {
    pub(super) key: JobKey,
    pub(super) code: ResultCode,
    pub(super) elapsed_us: u32,
    pub(super) body: Bytes,
}

impl Session {
    /// A message of this session.
    pub(super) fn heard(&mut self, message: ToWorker, now: Time) {
        match message {
            ToWorker::Heartbeat { .. } => {}
            ToWorker::Job {
                key,
                service,
                budget_ms,
                body,
                metadata,
                ..
            } => {
                let deadline = now + Duration::from_millis(budget_ms.into());
                let job = Assignment {
                    key,
                    service,
                    deadline,
                    body,
                    metadata,
                };
                self.take(job, now);
            }
            ToWorker::Cancel { key, reason, .. } => self.cancel(key, reason),
            ToWorker::Drain { .. } => self.leave(Leaving::dismissed(), now),
            ToWorker::Disconnect { .. }
            | ToWorker::Rejected {
                reason: RejectReason::UnknownSession,
                ..
            } => self.disconnected(now),
            ToWorker::Registered { .. } | ToWorker::Rejected { .. } => {
                self.counters.unexpected += 1;
            }
        }
    }

    fn take(&mut self, job: Assignment, now: Time) {
        let key = job.key;
        if !self.seen.insert(key) {
            self.counters.duplicates += 1;
        } else if usize::from(job.service) >= self.config.register.services.len() {
            self.counters.unknown_service += 1;
            self.refuse(key, ResultCode::UnknownService);
        } else if self.leaving.is_some() {
            self.hand_back(key);
        } else if self.waiting.len() < self.most_waiting() {
            self.waiting.push_back(job);
            self.start_waiting(now);
        } else {
            self.counters.overflowed += 1;
            self.refuse(key, ResultCode::Returned);
        }
    }

    fn most_waiting(&self) -> usize {
        self.slots.count() * (1 + usize::from(DEFAULT_MAX_PREFETCH))
    }

    /// Fills the free slots.
    fn start_waiting(&mut self, now: Time) {
        while self.slots.any_free()
            && let Some(job) = self.waiting.pop_front()
        {
            if job.deadline <= now {
                self.counters.expired += 1;
                self.refuse(job.key, ResultCode::Expired);
            } else {
                self.start(job, now);
            }
        }
    }

    fn start(&mut self, job: Assignment, now: Time) {
        let running = Running {
            key: job.key,
            service: job.service,
            started: now,
            wanted: true,
            cancelled: false,
            reported: false,
        };
        let Some(slot) = self.slots.occupy(running) else {
            return;
        };
        self.counters.started += 1;
        self.outputs.push_back(Output::Start { slot, job });
        if self.watch_at.is_none() {
            self.watch_at = self.config.overrun.map(|overrun| now + overrun);
        }
        if (self.config.max_jobs).is_some_and(|most| self.counters.started >= most) {
            self.leave(Leaving::worked_enough(), now);
        }
    }

    fn cancel(&mut self, key: JobKey, reason: CancelReason) {
        if let Some(place) = self.waiting.iter().position(|job| job.key == key) {
            self.waiting.remove(place);
            if reason == CancelReason::Recalled {
                self.hand_back(key);
            } else {
                self.counters.cancelled += 1;
                self.refuse(key, ResultCode::Cancelled);
            }
            return;
        }
        // A started job that is recalled goes on: its result may still be the first.
        if reason == CancelReason::Recalled {
            return;
        }
        let started = (self.slots.busy_mut()).find(|(_, job)| job.wanted && job.key == key);
        if let Some((slot, job)) = started
            && !std::mem::replace(&mut job.cancelled, true)
        {
            self.outputs.push_back(Output::Cancel { slot });
        }
    }

    pub(super) fn finished(
        &mut self,
        slot: u16,
        code: ResultCode,
        elapsed: Duration,
        body: Bytes,
        now: Time,
    ) {
        let Some(job) = self.slots.release(slot) else {
            return;
        };
        let answer = Answer {
            key: job.key,
            code,
            elapsed_us: u32::try_from(elapsed.as_micros()).unwrap_or(u32::MAX),
            body,
        };
        match self.link {
            _ if !job.wanted => self.counters.unwanted += 1,
            Link::Up(_) => self.answer(answer),
            _ => self.kept.push(answer),
        }
        self.start_waiting(now);
        self.settle(now);
    }

    /// Answers a job that was not started.
    fn refuse(&mut self, key: JobKey, code: ResultCode) {
        self.answer(Answer {
            key,
            code,
            elapsed_us: 0,
            body: Bytes::new(),
        });
    }

    /// Hands back a job that was not started. If the master sends it here again it is another attempt.
    pub(super) fn hand_back(&mut self, key: JobKey) {
        self.counters.returned += 1;
        self.refuse(key, ResultCode::Returned);
    }

    /// Sends RESULT, over a connection that is up.
    pub(super) fn answer(&mut self, mut answer: Answer) {
        if let Link::Up(up) = &self.link
            && answer.body.len() as u64 > up.max_body
        {
            self.counters.too_large += 1;
            answer.code = ResultCode::TooLarge;
            answer.body = Bytes::new();
        }
        self.send(FromWorker::Result {
            session: self.id,
            key: answer.key,
            code: answer.code,
            elapsed_us: answer.elapsed_us,
            body: answer.body,
        });
    }

    /// Reports the handlers that have overrun their time since the last look.
    pub(super) fn watch(&mut self, now: Time) {
        self.watch_at = None;
        let Some(overrun) = self.config.overrun else {
            return;
        };
        for (slot, job) in self.slots.busy_mut() {
            if job.reported {
                continue;
            }
            let due = job.started + overrun;
            if due <= now {
                job.reported = true;
                self.outputs.push_back(Output::Overrun {
                    slot,
                    key: job.key,
                    service: job.service,
                    running: now.since(job.started),
                });
            } else {
                self.watch_at = Some(self.watch_at.map_or(due, |at| at.min(due)));
            }
        }
    }
}
