//! What must hold between two events, for the simulator and for debugging.

use super::Master;
use super::jobs::{Job, JobId, Lane, Place};
use super::services::ServiceIndex;
use super::workers::{Exclusive, Wanted, Worker};

/// The lanes of a service.
const LANES: [Lane; 3] = [Lane::Ordinary, Lane::AtMostOnce, Lane::Suspect];

/// Fails the check with what was found.
macro_rules! must {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err(format!($($what)+));
        }
    };
}

impl Master {
    /// Checks every table against the others. It looks at each job and each worker, and changes nothing.
    ///
    /// # Errors
    /// What contradicts what, for whoever debugs the core: after a call of [`handle`](Self::handle) nothing may.
    pub fn check_invariants(&self) -> Result<(), String> {
        for job in self.jobs.iter() {
            self.check_job(job)?;
        }
        for worker in self.workers.iter() {
            self.check_worker(worker)?;
        }
        let (mut waiting, mut jobs) = (0, 0);
        for index in self.services.indices() {
            let service = self.services.get(index);
            if service.workers == 0 && service.jobs == 0 && service.waiting() == 0 {
                continue;
            }
            self.check_service(index)?;
            waiting += service.waiting();
            jobs += service.jobs;
        }
        must!(
            (waiting, jobs) == (self.jobs.waiting, self.jobs.len()),
            "{waiting} wait in queues and {} in total, of {jobs} and {}",
            self.jobs.waiting,
            self.jobs.len()
        );
        must!(
            self.jobs.waiting > 0 || self.jobs.waiting_bytes == 0,
            "{} bytes wait without a job",
            self.jobs.waiting_bytes
        );
        let placed = self
            .workers
            .iter()
            .filter(|worker| worker.placement.is_some());
        must!(
            placed.count() == self.pool.placed(),
            "the order of workers holds one that has no place in it"
        );
        // Each job and each worker has a few timers, and those that lost their purpose are swept when they are as many.
        let most = 4096 + 16 * (self.jobs.len() + self.workers.len());
        must!(
            self.timers.len() <= most,
            "{} timers, {most} at most",
            self.timers.len()
        );
        must!(
            self.released.is_empty(),
            "a worker was released and left idle"
        );
        Ok(())
    }

    fn check_job(&self, job: &Job) -> Result<(), String> {
        let id = job.id;
        must!(
            job.used <= job.attempts,
            "{id:?} used {} attempts of {}",
            job.used,
            job.attempts
        );
        must!(
            job.used <= job.attempt,
            "{id:?} used attempts that were not made"
        );
        match job.place {
            Place::Waiting(lane) => {
                must!(lane == job.lane(), "{id:?} waits in the wrong lane");
                must!(
                    job.used < job.attempts,
                    "{id:?} waits for an attempt it may not have"
                );
            }
            Place::At(key) => {
                let worker = self
                    .workers
                    .get(key)
                    .ok_or(format!("{id:?} is at nobody"))?;
                let held = worker
                    .in_flight
                    .iter()
                    .find(|held| (held.key.job, held.key.attempt) == (id.0, job.attempt));
                must!(
                    held.is_some_and(|held| held.wanted.is_wanted()),
                    "{id:?} is at a worker that does not have it"
                );
            }
        }
        Ok(())
    }

    fn check_worker(&self, worker: &Worker) -> Result<(), String> {
        let key = worker.key;
        let most = worker.slots() * (1 + usize::from(self.config.max_prefetch));
        let in_flight = worker.in_flight.len();
        must!(
            in_flight <= most,
            "{key:?} has {in_flight} jobs, {most} at most"
        );
        let mut overdue = 0;
        for (position, held) in worker.in_flight.iter().enumerate() {
            overdue += usize::from(held.wanted == Wanted::Overdue);
            if !held.wanted.is_wanted() {
                continue;
            }
            let job = self.jobs.get(JobId(held.key.job));
            let job = job.ok_or(format!("{key:?} has a job that is over"))?;
            must!(
                job.place == Place::At(key) && job.attempt == held.key.attempt,
                "{key:?} has {:?}, which is elsewhere",
                job.id
            );
            must!(
                !job.at_most_once || position < worker.slots(),
                "{key:?} was sent {:?} ahead, which must not be",
                job.id
            );
            must!(
                !job.suspected || worker.exclusive == Some(Exclusive::Suspect(job.id)),
                "{key:?} has the suspect {:?} and others",
                job.id
            );
        }
        must!(
            overdue == worker.overdue,
            "{key:?} has {overdue} overdue, not {}",
            worker.overdue
        );
        if let Some(Exclusive::Suspect(id)) = worker.exclusive {
            must!(
                in_flight == 1 && worker.in_flight[0].key.job == id.0,
                "{key:?} has {in_flight} jobs besides the suspect {id:?}"
            );
        }
        let kept_away = worker.draining || worker.overdue > 0 || worker.exclusive.is_some();
        must!(
            !kept_away || worker.placement.is_none(),
            "{key:?} is offered work"
        );
        must!(
            kept_away || in_flight >= worker.slots() || worker.placement.is_some(),
            "{key:?} has a free slot and is offered no work"
        );
        must!(
            self.workers.by_session(key.session) == Some(key)
                && self.workers.by_peer(worker.peer) == Some(key)
                && self.workers.by_peer(worker.job_peer()) == Some(key),
            "{key:?} is not found"
        );
        Ok(())
    }

    fn check_service(&self, index: ServiceIndex) -> Result<(), String> {
        let service = self.services.get(index);
        let name = &service.name;
        for lane in LANES {
            let queue = service.queue(lane);
            // One more than there should be is wrong enough; a ring would have no end.
            let linked = queue.iter(&self.jobs).take(queue.len() + 1);
            let count = linked
                .filter_map(|id| self.jobs.get(id))
                .filter(|job| job.place == Place::Waiting(lane))
                .count();
            must!(
                count == queue.len(),
                "the queue of {name:?} is not linked as it should be"
            );
        }
        let workers = self
            .workers
            .iter()
            .filter(|worker| worker.services.contains(&index));
        let counted = workers.fold((0, 0), |(n, slots), worker| (n + 1, slots + worker.slots()));
        must!(
            counted == (service.workers, service.slots),
            "{name:?} has {counted:?} workers and slots"
        );
        let reserved = (self.workers.iter())
            .filter(|worker| worker.exclusive == Some(Exclusive::Reserved(index)));
        must!(
            reserved.count() == service.reserved,
            "{name:?} has not {} workers reserved",
            service.reserved
        );
        must!(
            service.reserved == 0 || service.suspects.len() > 0,
            "workers are kept free for no suspect of {name:?}"
        );
        let free = self.pool.best_free(&service.groups);
        must!(
            free.is_none() || service.ordinary.len() + service.at_most_once.len() == 0,
            "jobs of {name:?} wait while a worker has a free slot"
        );
        must!(
            self.losses.hold()
                || free.is_none_or(|rank| rank.load > 0)
                || service.suspects.len() == 0,
            "suspects of {name:?} wait while a worker is idle"
        );
        must!(
            service.suspects.len() == 0
                || service.reserved > 0
                || self.least_loaded(index).is_none(),
            "suspects of {name:?} wait and no worker is kept free for them"
        );
        Ok(())
    }
}
