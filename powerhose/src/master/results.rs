//! How attempts and jobs end.

use std::time::Duration;

use bytes::Bytes;

use super::jobs::{Job, JobId, Place};
use super::mutants::Mutant;
use super::timers::Timer;
use super::workers::{Exclusive, Wanted, WorkerKey};
use super::{Action, Master, stats};
use crate::error::{ExecuteError, Started};
use crate::time::Time;
use crate::wire::{CancelReason, JobKey, ResultCode, ToWorker};

impl Master {
    pub(super) fn result(
        &mut self,
        worker_key: WorkerKey,
        key: JobKey,
        code: ResultCode,
        elapsed: Duration,
        body: Bytes,
        now: Time,
    ) {
        let Some(worker) = self.workers.get_mut(worker_key) else {
            return;
        };
        let leaked = Mutant::SlotLeaked.is_planted() && code == ResultCode::Cancelled;
        let Some(assignment) = (!leaked).then(|| worker.take_assignment(key)).flatten() else {
            self.counters.stale_results += 1;
            return;
        };
        let id = JobId(key.job);
        worker.last_result = now;
        worker.stalled &= !stats::ran(code);
        if worker.exclusive == Some(Exclusive::Suspect(id)) {
            worker.exclusive = None;
        }
        if assignment.wanted == Wanted::Overdue {
            worker.overdue -= 1;
        }
        if stats::ran(code) {
            worker.service_time.record(elapsed);
            worker
                .latencies
                .record_result(now.since(assignment.sent), elapsed);
        }
        if code == ResultCode::Ok {
            worker.completed += 1;
        } else {
            worker.failed += 1;
        }
        // First of all, so that its free slot counts if the job has to be sent again.
        self.replace(worker_key);
        if assignment.wanted.is_wanted() || Mutant::LateResultCounts.is_planted() {
            let sent = assignment.sent;
            if stats::ran(code)
                && let Some(job) = self.jobs.get(id)
            {
                let service = self.services.get_mut(job.service);
                service.mean.record(elapsed);
                service.latencies.record_result(now.since(sent), elapsed);
            }
            self.end_attempt(id, code, body, now);
        } else {
            self.counters.late_results += 1;
            if code == ResultCode::Returned
                && let Some(job) = self.jobs.get_mut(id)
            {
                job.used -= 1;
            }
        }
        self.watch_progress(worker_key, now);
        self.dispatch_worker(worker_key, now);
    }

    /// The end of an attempt that somebody waits for.
    fn end_attempt(&mut self, id: JobId, code: ResultCode, body: Bytes, now: Time) {
        let Some(job) = self.jobs.get_mut(id) else {
            return;
        };
        let failure = match code {
            ResultCode::Ok => return self.complete(id, Ok(body)),
            ResultCode::Failed => ExecuteError::Failed { message: body },
            ResultCode::Panicked => ExecuteError::Panicked { message: body },
            ResultCode::TooLarge => ExecuteError::TooLarge {
                what: "result",
                limit: self.config.max_body,
            },
            ResultCode::Overrun => ExecuteError::Overrun,
            // The worker saw before we did that the time is over.
            ResultCode::Cancelled if job.deadline <= now => ExecuteError::DeadlineExceeded {
                started: Started::Maybe,
            },
            ResultCode::Cancelled => ExecuteError::Abandoned,
            ResultCode::Expired => {
                self.counters.expired_at_worker += 1;
                let started = if job.used > 1 {
                    Started::Maybe
                } else {
                    Started::No
                };
                ExecuteError::DeadlineExceeded { started }
            }
            ResultCode::Returned => {
                self.counters.returned += 1;
                job.used -= u8::from(!Mutant::ReturnedCounts.is_planted());
                return self.requeue(id, now);
            }
            // The worker contradicts its own registration. Nothing was started, but it must not go round for ever.
            ResultCode::UnknownService if job.used >= job.attempts => ExecuteError::NoWorkers {
                service: self.services.get(job.service).name.to_string(),
            },
            ResultCode::UnknownService => return self.requeue(id, now),
        };
        self.complete(id, Err(failure));
    }

    /// Lets a job wait for its next attempt.
    fn requeue(&mut self, id: JobId, now: Time) {
        self.enqueue_again(id);
        if let Some(job) = self.jobs.get(id) {
            self.dispatch_service(job.service, now);
        }
    }

    /// Takes a job away from where it is: out of its queue, or from its worker, which is told and returned.
    pub(super) fn give_up(&mut self, id: JobId, reason: CancelReason) -> Option<WorkerKey> {
        if let Place::Waiting(_) = self.jobs.get(id)?.place {
            self.dequeue(id);
            return None;
        }
        let wanted = match reason {
            CancelReason::Caller | CancelReason::Recalled => Wanted::No,
            CancelReason::Deadline | CancelReason::Superseded => Wanted::Overdue,
        };
        self.call_off(id, wanted, reason)
    }

    /// Tells the worker of a job why its answer is no longer wanted, or not in the same way.
    pub(super) fn call_off(
        &mut self,
        id: JobId,
        wanted: Wanted,
        reason: CancelReason,
    ) -> Option<WorkerKey> {
        let job = self.jobs.get(id)?;
        let Place::At(worker_key) = job.place else {
            return None;
        };
        let key = JobKey {
            job: id.0,
            attempt: job.attempt,
        };
        let worker = self.workers.get_mut(worker_key)?;
        let assignment = (worker.in_flight.iter_mut()).find(|assignment| assignment.key == key)?;
        assignment.wanted = wanted;
        let late = wanted == Wanted::Overdue;
        if late {
            worker.overdue += 1;
        }
        let (peer, session) = (worker.job_peer(), worker_key.session);
        if !Mutant::CancelLost.is_planted() {
            self.send(
                peer,
                ToWorker::Cancel {
                    session,
                    key,
                    reason,
                },
            );
        }
        if late {
            // Before anybody looks for a worker: this one is none until it answers.
            self.replace(worker_key);
        }
        Some(worker_key)
    }

    pub(super) fn attempt_timed_out(&mut self, id: JobId, attempt: u8, now: Time) {
        let Some(job) = self.jobs.get(id) else { return };
        let Place::At(_) = job.place else { return };
        if job.attempt != attempt {
            return;
        }
        let (used, attempts) = (job.used, job.attempts);
        self.counters.attempts_timed_out += 1;
        let worker = self.give_up(id, CancelReason::Superseded);
        if used >= attempts {
            self.complete(id, Err(ExecuteError::AttemptsTimedOut { attempts: used }));
        } else {
            self.requeue(id, now);
        }
        if let Some(worker) = worker {
            self.set_aside(worker, now);
        }
    }

    /// Ends a job that stands in no queue and gives the outcome to its caller.
    pub(super) fn complete(&mut self, id: JobId, result: Result<Bytes, ExecuteError>) {
        let Some(job) = self.remove(id) else { return };
        let service = self.services.get_mut(job.service);
        if result.is_ok() {
            self.counters.completed += 1;
            service.completed += 1;
        } else {
            self.counters.failed += 1;
            service.failed += 1;
        }
        self.actions.push_back(Action::Complete {
            ticket: job.ticket,
            result,
        });
        self.finish_drain();
    }

    /// Ends a job that stands in no queue and whose caller has gone.
    pub(super) fn forget(&mut self, id: JobId) {
        self.remove(id);
        self.finish_drain();
    }

    fn remove(&mut self, id: JobId) -> Option<Job> {
        let job = self.jobs.remove(id)?;
        self.services.get_mut(job.service).jobs -= 1;
        let stale = 1 + if job.attempt_timeout.is_some() {
            usize::from(job.attempt)
        } else {
            0
        };
        self.retire_timers(stale);
        Some(job)
    }

    /// Notes that as many timers have lost their purpose, since a job or a worker is gone.
    pub(super) fn retire_timers(&mut self, stale: usize) {
        let (jobs, workers) = (&self.jobs, &self.workers);
        self.timers.retire(stale, |timer| match *timer {
            Timer::Deadline(id) | Timer::Attempt(id, _) => jobs.get(id).is_some(),
            Timer::Silence(key) | Timer::Recall(key) => workers.get(key).is_some(),
            Timer::Pulse | Timer::Probe | Timer::Hold => true,
        });
    }
}
