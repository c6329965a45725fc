//! Which job goes to which worker.

use super::jobs::{JobId, Lane, Place};
use super::mutants::Mutant;
use super::order::Rank;
use super::pool::Placement;
use super::services::ServiceIndex;
use super::timers::Timer;
use super::workers::{Assignment, Exclusive, Wanted, Worker, WorkerKey};
use super::{Action, Master};
use crate::error::ExecuteError;
use crate::time::Time;
use crate::wire::{JobKey, ToWorker};

/// The attempts that may be sent at all, those handed back included: numbers on the wire end at 255.
const LAST_ATTEMPT_NUMBER: u8 = 250;

impl Master {
    /// Puts a job at the end of the queue it belongs to.
    pub(super) fn enqueue(&mut self, id: JobId) {
        if let Some((service, lane)) = self.lane_of(id) {
            let queue = self.services.get_mut(service).queue_mut(lane);
            queue.push_back(&mut self.jobs, id);
        }
    }

    /// Puts a job that was sent before at the head of the queue it belongs to.
    pub(super) fn enqueue_again(&mut self, id: JobId) {
        if let Some((service, lane)) = self.lane_of(id) {
            let queue = self.services.get_mut(service).queue_mut(lane);
            queue.push_front(&mut self.jobs, id);
        }
    }

    /// Where a job that is about to wait belongs.
    fn lane_of(&mut self, id: JobId) -> Option<(ServiceIndex, Lane)> {
        let job = self.jobs.get_mut(id)?;
        let lane = job.lane();
        job.place = Place::Waiting(lane);
        let service = job.service;
        if lane == Lane::Suspect && !self.suspected.contains(&service) {
            self.suspected.push(service);
        }
        Some((service, lane))
    }

    /// Takes a job out of the queue it waits in.
    pub(super) fn dequeue(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        let Place::Waiting(lane) = job.place else {
            return;
        };
        let index = job.service;
        self.services
            .get_mut(index)
            .queue_mut(lane)
            .unlink(&mut self.jobs, id);
        let service = self.services.get(index);
        if lane == Lane::Suspect && service.suspects.len() == 0 && service.reserved > 0 {
            self.release_reserved(index);
        }
    }

    /// Sends waiting jobs of a service to workers, as long as there are both.
    pub(super) fn dispatch_service(&mut self, index: ServiceIndex, now: Time) {
        loop {
            let service = self.services.get(index);
            let ahead = || self.pool.best_prefetch(&service.groups);
            let free = (self.pool.best_free(&service.groups))
                .filter(|_| !Mutant::AheadBeforeFree.is_planted() || ahead().is_none());
            let (id, rank) = if !self.losses.hold()
                && let Some(id) = service.suspects.head()
                && let Some(rank) = free.filter(|rank| rank.load == 0)
            {
                (id, rank)
            } else if let Some(rank) = free
                && let Some(id) = self.first([service.at_most_once.head(), service.ordinary.head()])
            {
                (id, rank)
            } else if let Some(id) = service.ordinary.head()
                && let Some(rank) = ahead()
            {
                (id, rank)
            } else {
                break;
            };
            let Some(worker) = self.workers.at(rank.worker) else {
                break;
            };
            self.assign(id, worker, now);
        }
        self.reserve(index);
    }

    /// Gives a worker what it can take from the queues of its services.
    pub(super) fn dispatch_worker(&mut self, key: WorkerKey, now: Time) {
        while let Some(id) = self.next_for(key) {
            self.assign(id, key, now);
        }
    }

    /// Gives workers that were kept free, and are not any more, what they can take.
    pub(super) fn dispatch_released(&mut self, now: Time) {
        let released = std::mem::take(&mut self.released);
        let mut any = true;
        // Several are released at a time: nothing is sent ahead to one while another has a free slot.
        while std::mem::take(&mut any) {
            for key in &released {
                let worker = self.workers.get(*key);
                let is_free = worker
                    .is_some_and(|worker| matches!(worker.placement, Some(Placement::Free(_))));
                if is_free && let Some(id) = self.next_for(*key) {
                    self.assign(id, *key, now);
                    any = true;
                }
            }
        }
        for key in released {
            self.dispatch_worker(key, now);
        }
    }

    fn next_for(&self, key: WorkerKey) -> Option<JobId> {
        let worker = self.workers.get(key)?;
        let heads = |lane: Lane| {
            let heads = worker
                .services
                .iter()
                .map(move |index| self.services.get(*index).queue(lane).head());
            self.first(heads)
        };
        let takes_suspects = worker.in_flight.is_empty() && !worker.draining && !self.losses.hold();
        if let Some(Exclusive::Reserved(service)) = worker.exclusive {
            return if takes_suspects {
                self.services.get(service).suspects.head()
            } else {
                None
            };
        }
        match worker.placement? {
            Placement::Free(_) => {
                let suspect = takes_suspects.then(|| heads(Lane::Suspect)).flatten();
                suspect.or_else(|| self.first([heads(Lane::AtMostOnce), heads(Lane::Ordinary)]))
            }
            Placement::Prefetch(_) if Mutant::AtMostOnceAhead.is_planted() => {
                heads(Lane::AtMostOnce)
            }
            Placement::Prefetch(_) => heads(Lane::Ordinary),
        }
    }

    /// The job whose turn it is.
    fn first(&self, heads: impl IntoIterator<Item = Option<JobId>>) -> Option<JobId> {
        let precedence = |id: &JobId| self.jobs.precedence(*id);
        heads.into_iter().flatten().min_by_key(precedence)
    }

    /// Sends a waiting job to a worker that can take it.
    fn assign(&mut self, id: JobId, key: WorkerKey, now: Time) {
        let Some(job) = self.jobs.get(id) else { return };
        let suspect = job.place == Place::Waiting(Lane::Suspect);
        if job.attempt >= LAST_ATTEMPT_NUMBER {
            let attempts = job.used;
            self.dequeue(id);
            self.complete(id, Err(ExecuteError::WorkerLost { attempts }));
            return;
        }
        if job.deadline <= now {
            self.deadline_passed(id, now);
            return;
        }
        self.dequeue(id);
        let Some(job) = self.jobs.get_mut(id) else {
            return;
        };
        let (service, client) = (job.service, job.origin);
        if !Mutant::AttemptNotBumped.is_planted() || job.attempt == 0 {
            job.attempt += 1;
        }
        job.used += 1;
        job.place = Place::At(key);
        let attempt = JobKey {
            job: id.0,
            attempt: job.attempt,
        };
        let since = if Mutant::DeadlineNotPropagated.is_planted() {
            job.submitted
        } else {
            now
        };
        let budget = job.deadline.since(since).as_nanos().div_ceil(1_000_000);
        let budget_ms = u32::try_from(budget).unwrap_or(u32::MAX);
        let (body, metadata) = (job.body.clone(), job.metadata.clone());
        if let Some(timeout) = job.attempt_timeout {
            self.timers
                .arm(now + timeout, Timer::Attempt(id, attempt.attempt));
        }
        let first_wait = (attempt.attempt == 1).then(|| now.since(job.submitted));
        self.jobs.had_turn(client);
        self.services.get_mut(service).had_turn(client);
        self.counters.dispatched += 1;
        match first_wait {
            Some(waited) => (self.services.get_mut(service).latencies).record_queue(waited),
            None => self.counters.redispatched += 1,
        }

        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        if let Some(Exclusive::Reserved(index)) = worker.exclusive.take() {
            self.services.get_mut(index).reserved -= 1;
        }
        // The index is at most 63, the services of one registration being limited.
        let position = worker
            .services
            .iter()
            .position(|offered| *offered == service);
        let service = position
            .and_then(|index| u16::try_from(index).ok())
            .unwrap_or(u16::MAX);
        if let Some(waited) = first_wait {
            worker.latencies.record_queue(waited);
        }
        if worker.in_flight.is_empty() {
            worker.last_result = now;
        }
        worker.in_flight.push_back(Assignment {
            key: attempt,
            sent: now,
            wanted: Wanted::Yes,
        });
        if suspect {
            worker.exclusive = Some(Exclusive::Suspect(id));
        }
        let peer = worker.job_peer();
        let session = key.session;
        self.actions.push_back(Action::Send {
            peer,
            message: ToWorker::Job {
                session,
                key: attempt,
                service,
                budget_ms,
                body,
                metadata,
            },
        });
        self.watch_progress(key, now);
        self.replace(key);
    }

    /// Puts a worker where it belongs in the order of its group, after any change.
    pub(super) fn replace(&mut self, key: WorkerKey) {
        let since = self.pool.stamp();
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        let load = worker.in_flight.len() * 65_536 / worker.slots();
        let rank = Rank {
            load: u32::try_from(load).unwrap_or(u32::MAX),
            since,
            worker: key.index,
        };
        let kept_away = (worker.draining && !Mutant::DrainingGetsWork.is_planted())
            || (worker.overdue > 0 && !Mutant::LaggyNotSetAside.is_planted())
            || worker.exclusive.is_some();
        let placement = if kept_away {
            None
        } else if worker.in_flight.len() < worker.slots() {
            Some(Placement::Free(rank))
        } else if worker.in_flight.len() < worker.slots() + self.config.credit(worker) {
            Some(Placement::Prefetch(rank))
        } else {
            None
        };
        let group = worker.group;
        let before = std::mem::replace(&mut worker.placement, placement);
        if let Some(before) = before {
            self.pool.displace(group, before);
        }
        if let Some(placement) = placement {
            self.pool.place(group, placement);
        }
    }

    /// Keeps workers free for suspects that found none idle: at most half of a service's workers, but at least one.
    fn reserve(&mut self, index: ServiceIndex) {
        loop {
            let service = self.services.get(index);
            let wanted = service.suspects.len().min((service.workers / 2).max(1));
            if service.reserved >= wanted {
                return;
            }
            let free = self.pool.best_free(&service.groups);
            let Some(rank) = free.or_else(|| self.least_loaded(index)) else {
                return;
            };
            let Some(key) = self.workers.at(rank.worker) else {
                return;
            };
            if let Some(worker) = self.workers.get_mut(key) {
                worker.exclusive = Some(Exclusive::Reserved(index));
            }
            self.services.get_mut(index).reserved += 1;
            self.replace(key);
        }
    }

    /// The worker of a service that is nearest to being idle, although it can take no more: suspects are rare, so this
    /// may look at every worker.
    pub(super) fn least_loaded(&self, index: ServiceIndex) -> Option<Rank> {
        let eligible = |worker: &&Worker| {
            !worker.draining && worker.exclusive.is_none() && worker.services.contains(&index)
        };
        let rank = |worker: &Worker| Rank {
            load: u32::try_from(worker.in_flight.len()).unwrap_or(u32::MAX),
            since: worker.overdue as u64,
            worker: worker.key.index,
        };
        self.workers
            .iter()
            .filter(eligible)
            .map(rank)
            .min_by_key(|rank| (rank.since, rank.load, rank.worker))
    }

    /// Lets the workers reserved for a service without suspects have other work again.
    fn release_reserved(&mut self, index: ServiceIndex) {
        let reserved: Vec<WorkerKey> = (self.workers.iter())
            .filter(|worker| worker.exclusive == Some(Exclusive::Reserved(index)))
            .map(|worker| worker.key)
            .collect();
        self.services.get_mut(index).reserved = 0;
        for key in reserved {
            if let Some(worker) = self.workers.get_mut(key) {
                worker.exclusive = None;
            }
            self.replace(key);
            self.released.push(key);
        }
    }
}
