//! What becomes of jobs whose worker is too slow for them or gone.

use super::Master;
use super::jobs::JobId;
use super::mutants::Mutant;
use super::services::ServiceIndex;
use super::timers::Timer;
use super::workers::{Exclusive, Wanted, Worker, WorkerKey};
use crate::error::ExecuteError;
use crate::time::Time;
use crate::wire::CancelReason;

/// After so many deaths of workers that had nothing else, a job is poison.
const POISON_AFTER: u8 = 2;

impl Master {
    /// Sees to it that jobs sent ahead to a worker come back if it does not come to them.
    pub(super) fn watch_progress(&mut self, key: WorkerKey, now: Time) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        if worker.in_flight.len() > worker.slots() && !worker.recall_armed {
            worker.recall_armed = true;
            self.timers
                .arm(now + self.config.recall_after, Timer::Recall(key));
        }
    }

    pub(super) fn check_recall(&mut self, key: WorkerKey, now: Time) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        worker.recall_armed = false;
        if worker.in_flight.len() <= worker.slots() {
            return;
        }
        let due = worker.last_result + self.config.recall_after;
        if now >= due {
            self.recall(key, now);
        } else {
            worker.recall_armed = true;
            self.timers.arm(due, Timer::Recall(key));
        }
    }

    /// Gives a worker that was too slow nothing more until it answers, and takes back what it has not come to.
    pub(super) fn set_aside(&mut self, key: WorkerKey, now: Time) {
        self.recall(key, now);
        // It will not be idle soon, so another one has to be kept free in its place.
        if let Some(worker) = self.workers.get_mut(key)
            && let Some(Exclusive::Reserved(service)) = worker.exclusive
        {
            worker.exclusive = None;
            self.services.get_mut(service).reserved -= 1;
            self.replace(key);
            self.dispatch_service(service, now);
        }
    }

    /// Takes back the jobs that workers were too slow for when there was nobody else to do them. Now there is.
    pub(super) fn recall_stalled(&mut self, services: &[ServiceIndex], now: Time) {
        let stalled: Vec<WorkerKey> = (self.workers.iter())
            .filter(|worker| worker.stalled && worker.in_flight.len() > worker.slots())
            .filter(|worker| {
                worker
                    .services
                    .iter()
                    .any(|offered| services.contains(offered))
            })
            .map(|worker| worker.key)
            .collect();
        for key in stalled {
            self.recall(key, now);
        }
    }

    fn recall(&mut self, key: WorkerKey, now: Time) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        worker.stalled = true;
        let services = worker.services.clone();
        // Backwards, since each goes to the head of its queue.
        let ahead: Vec<JobId> = (worker.in_flight.iter().skip(worker.slots()).rev())
            .filter(|assignment| assignment.wanted == Wanted::Yes)
            .map(|assignment| JobId(assignment.key.job))
            .collect();
        self.replace(key);
        for id in ahead {
            let Some(job) = self.jobs.get(id) else {
                continue;
            };
            if self.services.get(job.service).workers <= 1 {
                continue;
            }
            self.counters.recalled += 1;
            // One that is never handed back has been an attempt. The last one is kept for the loss of a worker.
            if job.used + 1 < job.attempts {
                self.give_up(id, CancelReason::Recalled);
                self.enqueue_again(id);
            } else {
                // It goes to somebody else once the worker says that it has not started it.
                self.call_off(id, Wanted::AskedBack, CancelReason::Recalled);
            }
        }
        for index in services {
            self.dispatch_service(index, now);
        }
    }

    /// Lets jobs have another attempt whose worker left, or has forgotten them. They are in the order in which they were
    /// sent.
    pub(super) fn bring_back(&mut self, jobs: &[JobId], services: &[ServiceIndex], now: Time) {
        for id in jobs.iter().rev() {
            if self.has_attempts_left(*id) {
                self.enqueue_again(*id);
            }
        }
        for index in services {
            self.dispatch_service(*index, now);
        }
    }

    /// Suspects the jobs of a worker that died. Only the one that it had to itself is known to have been there for it.
    pub(super) fn suspect(&mut self, jobs: &[JobId], dead: &Worker, now: Time) {
        for id in jobs {
            let Some(job) = self.jobs.get_mut(*id) else {
                continue;
            };
            job.suspected = !Mutant::SuspectNotAlone.is_planted();
            if dead.exclusive == Some(Exclusive::Suspect(*id))
                && !Mutant::PoisonNotCounted.is_planted()
            {
                job.deaths_alone += 1;
            }
            let deaths = job.deaths_alone;
            if deaths >= POISON_AFTER {
                self.counters.poisoned += 1;
                self.complete(*id, Err(ExecuteError::Poison { deaths }));
            } else if self.has_attempts_left(*id) {
                self.enqueue(*id);
            }
        }
        for index in &dead.services {
            self.dispatch_service(*index, now);
        }
    }

    /// Whether a job that was at a worker may be sent again. If not it has failed.
    fn has_attempts_left(&mut self, id: JobId) -> bool {
        let Some(job) = self.jobs.get(id) else {
            return false;
        };
        let attempts = job.used;
        let left = attempts < job.attempts;
        if !left {
            self.complete(id, Err(ExecuteError::WorkerLost { attempts }));
        }
        left
    }
}
