//! What the core tells of itself.

use super::Master;
use super::stats::{Counters, ServiceStats, Stats, WorkerSnapshot, WorkerState};
use super::workers::Worker;
use crate::time::Time;

impl Master {
    /// Everything counted and measured so far.
    pub fn stats(&self) -> Stats {
        let services = (self.services.iter())
            .map(|service| ServiceStats {
                name: service.name.clone(),
                workers: service.workers,
                slots: service.slots,
                waiting: service.waiting(),
                jobs: service.jobs,
                completed: service.completed,
                failed: service.failed,
                mean: service.mean.get(),
                latencies: service.latencies.clone(),
            })
            .collect();
        Stats {
            counters: self.counters,
            waiting: self.jobs.waiting,
            waiting_bytes: self.jobs.waiting_bytes,
            jobs: self.jobs.len(),
            workers: self.workers.len(),
            services,
        }
    }

    /// The counters alone, which costs nothing.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many jobs wait for a worker.
    pub fn waiting(&self) -> usize {
        self.jobs.waiting
    }

    /// How many bytes of payload they have.
    pub fn waiting_bytes(&self) -> usize {
        self.jobs.waiting_bytes
    }

    /// The number of workers that hold a session and take work.
    pub fn active_workers(&self) -> usize {
        self.workers
            .iter()
            .filter(|worker| !worker.draining)
            .count()
    }

    /// The state of the worker that holds a session; `None` if none does.
    pub fn worker_state(&self, session: u64) -> Option<WorkerState> {
        let key = self.workers.by_session(session)?;
        self.workers.get(key).map(state)
    }

    /// The workers that hold a session.
    pub fn workers(&self, now: Time) -> Vec<WorkerSnapshot> {
        self.workers
            .iter()
            .map(|worker| snapshot(worker, now))
            .collect()
    }
}

fn state(worker: &Worker) -> WorkerState {
    if worker.draining {
        WorkerState::Draining
    } else if worker.overdue > 0 {
        WorkerState::Laggy
    } else {
        WorkerState::Active
    }
}

fn snapshot(worker: &Worker, now: Time) -> WorkerSnapshot {
    let registration = &worker.registration;
    WorkerSnapshot {
        session: worker.key.session,
        pid: registration.pid,
        host: registration.host.clone(),
        implementation: registration.implementation.clone(),
        services: registration.services.clone(),
        slots: registration.slots,
        in_flight: worker.in_flight.len(),
        state: state(worker),
        age: now.since(worker.registered),
        silence: now.since(worker.last_seen),
        completed: worker.completed,
        failed: worker.failed,
        latencies: worker.latencies.clone(),
    }
}
