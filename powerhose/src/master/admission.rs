//! Whether a job may wait at all.

use std::time::Duration;

use super::event::{NewJob, Ticket};
use super::jobs::Lane;
use super::mutants::Mutant;
use super::services::Service;
use super::timers::Timer;
use super::{Action, Master, Phase, allowed_attempts};
use crate::error::{ExecuteError, Started};
use crate::time::Time;
use crate::wire::is_service_name;

/// The bounds of `retry_after`, and what it says while nothing has been measured.
const SOONEST: Duration = Duration::from_millis(10);
const LATEST: Duration = Duration::from_secs(30);
const UNKNOWN: Duration = Duration::from_secs(1);

impl Master {
    pub(super) fn submit(&mut self, ticket: Ticket, mut job: NewJob, now: Time) {
        self.counters.submitted += 1;
        job.attempts = allowed_attempts(job.attempts);
        let service = match self.admit(&job, now) {
            Ok(service) => service,
            Err(error) => {
                self.counters.failed += 1;
                if let ExecuteError::Overloaded { .. } = error {
                    self.counters.overloaded += 1;
                }
                self.actions.push_back(Action::Complete {
                    ticket,
                    result: Err(error),
                });
                return;
            }
        };
        let deadline = job.deadline;
        let id = self.jobs.insert(ticket, job, service, now);
        self.services.get_mut(service).jobs += 1;
        self.timers.arm(deadline, Timer::Deadline(id));
        self.enqueue(id);
        self.dispatch_service(service, now);
    }

    fn admit(
        &mut self,
        job: &NewJob,
        now: Time,
    ) -> Result<super::services::ServiceIndex, ExecuteError> {
        if self.phase != Phase::Running {
            return Err(ExecuteError::ShuttingDown {
                started: Started::No,
            });
        }
        if !is_service_name(&job.service) {
            return Err(ExecuteError::InvalidService {
                service: job.service.to_string(),
            });
        }
        if job.body.len() > self.config.max_body {
            return Err(ExecuteError::TooLarge {
                what: "payload",
                limit: self.config.max_body,
            });
        }
        let no_workers = || ExecuteError::NoWorkers {
            service: job.service.to_string(),
        };
        let index = self.services.intern(&job.service).ok_or_else(no_workers)?;
        let service = self.services.get(index);
        let ahead = service.ahead_of(self.jobs.origin(job.client));
        let off = usize::from(Mutant::QueueOffByOne.is_planted());
        let jobs_full = self.jobs.waiting >= self.config.max_queue_jobs + off;
        let bytes = self.jobs.waiting_bytes + job.body.len();
        let bytes_full = bytes > self.config.max_queue_bytes;
        // What does not fit into the queue may still go straight to a free worker.
        if jobs_full || bytes_full {
            let lane = if job.at_most_once {
                Lane::AtMostOnce
            } else {
                Lane::Ordinary
            };
            if service.queue(lane).len() > 0 || self.pool.best_free(&service.groups).is_none() {
                let wait = expected_wait(service, ahead).map_or(UNKNOWN, |wait| wait / 2);
                return Err(ExecuteError::Overloaded {
                    retry_after: wait.clamp(SOONEST, LATEST),
                });
            }
        }
        let left = job.deadline.since(now);
        if let Some(wait) = expected_wait(service, ahead)
            && wait > left
        {
            let retry_after = (wait - left).clamp(SOONEST, LATEST);
            return Err(ExecuteError::Overloaded { retry_after });
        }
        Ok(index)
    }
}

/// How long the jobs that are sent before one will keep the workers of a service busy. `None` where there are none, no worker to do
/// them or no measurement: then the job waits for its chance.
fn expected_wait(service: &Service, ahead: usize) -> Option<Duration> {
    let depth = u32::try_from(ahead).unwrap_or(u32::MAX);
    let slots = u32::try_from(service.slots).unwrap_or(u32::MAX);
    if depth == 0 || slots == 0 {
        return None;
    }
    Some(service.mean.get()?.saturating_mul(depth) / slots)
}
