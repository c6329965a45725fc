//! How sessions begin, resume and end.

use std::collections::HashSet;
use std::collections::VecDeque;

use rand::RngExt;

use super::estimate::HighQuantile;
use super::event::Peer;
use super::jobs::JobId;
use super::meter::Meter;
use super::mutants::Mutant;
use super::stats::Latencies;
use super::timers::Timer;
use super::workers::{Exclusive, Wanted, Worker, WorkerKey, wanted_jobs};
use super::{Action, Master, Phase};
use crate::time::Time;
use crate::wire::limits::{REGISTER_BURST, REGISTER_INTERVAL, SESSION_BURST, SESSION_INTERVAL};
use crate::wire::{
    CancelReason, DisconnectReason, JobKey, Register, Registered, RejectReason, Rejection,
    ToWorker, VERSION, WireError,
};

/// What the master calls itself in REGISTERED and OPENED.
pub(crate) const IMPLEMENTATION: &str = concat!("powerhose-rust/", env!("CARGO_PKG_VERSION"));

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// The connection is gone.
    Lost,
    /// Nothing was heard for too long.
    Silent,
    /// The worker said so.
    Left,
    /// Its mail piled up.
    Overflow,
    /// It registered something else over another connection.
    Replaced,
}

impl Farewell {
    /// Whether what the worker was doing may be why.
    pub(super) fn is_death(self) -> bool {
        matches!(self, Self::Lost | Self::Silent)
    }
}

impl Master {
    pub(super) fn register(&mut self, peer: Peer, session: u64, register: Register, now: Time) {
        if self.refuse_late(peer, session) {
            return;
        }
        let here = self.workers.by_peer(peer);
        let named = self.workers.by_session(session);
        let mut meter = Meter::default();
        if let Some(worker) = here.or(named).and_then(|key| self.workers.get_mut(key)) {
            let is_admitted = worker.meter.admits(REGISTER_INTERVAL, REGISTER_BURST, now);
            meter = worker.meter;
            if !is_admitted {
                self.counters.throttled += 1;
                let message = "this worker registers too often";
                self.reject(peer, session, RejectReason::TooManyWorkers, message);
                return;
            }
        }
        // Without a session it may be the question before that came twice, or whose answer got lost.
        let known = named.or(if session == 0 { here } else { None });
        let same = known.filter(|key| {
            (self.workers.get(*key)).is_some_and(|worker| worker.offers_the_same(&register))
        });
        // Whatever else this connection or this session was before, it is not any more.
        for key in [here, known].into_iter().flatten() {
            if Some(key) != same {
                self.end_session(key, Farewell::Replaced, now);
            }
        }
        // The end of those sessions may have been the end of the last job, and with it the master's.
        if self.refuse_late(peer, session) {
            return;
        }
        match same {
            Some(key) if here == same => {
                if let Some(worker) = self.workers.get_mut(key) {
                    worker.last_seen = now;
                }
                self.send_terms(key);
            }
            Some(key) => self.resume(key, peer, &register, now),
            None => self.enter(peer, session, register, meter, now),
        }
    }

    /// Turns a peer away once the master has ended. Returns whether it did.
    fn refuse_late(&mut self, peer: Peer, session: u64) -> bool {
        let is_late = self.phase == Phase::Stopped;
        if is_late {
            let message = "the master is shutting down";
            self.reject(peer, session, RejectReason::Draining, message);
        }
        is_late
    }

    fn enter(&mut self, peer: Peer, session: u64, register: Register, meter: Meter, now: Time) {
        if self.workers.len() >= self.config.max_workers {
            let limit = self.config.max_workers;
            let message = format!("{limit} workers are registered, and no more are allowed");
            self.reject(peer, session, RejectReason::TooManyWorkers, &message);
            return;
        }
        let burst = u32::try_from(self.config.max_workers).unwrap_or(u32::MAX);
        if !(self.sessions).admits(SESSION_INTERVAL, burst.max(SESSION_BURST), now) {
            self.counters.throttled += 1;
            let message = "too many workers register at once";
            self.reject(peer, session, RejectReason::TooManyWorkers, message);
            return;
        }
        let slots = usize::from(register.slots);
        let Some(services) = self.services.offer(&register.services, slots) else {
            self.reject(
                peer,
                session,
                RejectReason::InvalidRegistration,
                "the master knows as many services as it can",
            );
            return;
        };
        let session = self.fresh_session();
        let key = self.workers.next_key(session);
        let (group, new) = self.pool.join(&services);
        if new {
            for index in &services {
                self.services.get_mut(*index).groups.push(group);
            }
        }
        let socket = self.connect(&register, peer);
        tracing::debug!(
            session = key.session,
            pid = register.pid,
            slots,
            "worker registered"
        );
        self.workers.insert(Worker {
            key,
            peer,
            socket,
            registration: register,
            services: services.clone(),
            group,
            placement: None,
            in_flight: VecDeque::new(),
            overdue: 0,
            exclusive: None,
            draining: false,
            stalled: false,
            registered: now,
            meter,
            last_seen: now,
            last_result: now,
            recall_armed: false,
            service_time: HighQuantile::default(),
            latencies: Latencies::default(),
            completed: 0,
            failed: 0,
        });
        self.timers
            .arm(now + self.silence_limit(), Timer::Silence(key));
        self.start_pulse(now);
        self.send_terms(key);
        self.replace(key);
        self.dispatch_worker(key, now);
        self.recall_stalled(&services, now);
        for index in services {
            self.dispatch_service(index, now);
        }
    }

    /// Opens the connection to a worker's own socket, if it has one.
    fn connect(&mut self, register: &Register, peer: Peer) -> Option<u32> {
        let path = register.socket.clone()?;
        self.next_socket += 1;
        let socket = self.next_socket;
        self.actions
            .push_back(Action::Connect { socket, path, peer });
        Some(socket)
    }

    /// A number that no worker has and 0, which means none, never is.
    fn fresh_session(&mut self) -> u64 {
        loop {
            let session = self.random.random();
            if session != 0 && self.workers.by_session(session).is_none() {
                return session;
            }
        }
    }

    fn send_terms(&mut self, key: WorkerKey) {
        let Some(worker) = self.workers.get(key) else {
            return;
        };
        let terms = Registered {
            heartbeat_ms: u32::try_from(self.config.heartbeat.as_millis()).unwrap_or(u32::MAX),
            misses: self.config.misses,
            max_body: self.config.max_body as u64,
            implementation: IMPLEMENTATION.into(),
        };
        self.counters.registered += 1;
        self.send(
            worker.peer,
            ToWorker::Registered {
                session: key.session,
                terms,
            },
        );
    }

    /// A worker whose connection broke is back before its session ended.
    fn resume(&mut self, key: WorkerKey, peer: Peer, register: &Register, now: Time) {
        tracing::debug!(session = key.session, "worker resumed its session");
        self.counters.resumed += 1;
        if let Some(socket) = self.workers.get(key).and_then(|worker| worker.socket) {
            self.actions.push_back(Action::Close { socket });
        }
        let socket = self.connect(register, peer);
        self.workers.rebind(key, peer, socket);
        self.send_terms(key);
        let running: HashSet<JobKey> = (register.running.iter())
            .map(|running| JobKey {
                job: running.job,
                attempt: running.attempt,
            })
            .collect();
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        worker.last_seen = now;
        worker.last_result = now;
        worker.stalled = false;
        // Neither the job nor its result can be on the way any more: both travelled over the old connection.
        let (held, missing): (VecDeque<_>, VecDeque<_>) =
            (std::mem::take(&mut worker.in_flight).into_iter()).partition(|assignment| {
                running.contains(&assignment.key) || Mutant::MissingKept.is_planted()
            });
        let missing = wanted_jobs(&missing);
        let known: HashSet<JobKey> = held.iter().map(|assignment| assignment.key).collect();
        worker.in_flight = held;
        worker.overdue = (worker.in_flight.iter())
            .filter(|assignment| assignment.wanted == Wanted::Overdue)
            .count();
        if let Some(Exclusive::Suspect(JobId(job))) = worker.exclusive
            && !known.iter().any(|key| key.job == job)
        {
            worker.exclusive = None;
        }
        let services = worker.services.clone();
        let peer = worker.job_peer();
        for unknown in register.running.iter().map(|r| JobKey {
            job: r.job,
            attempt: r.attempt,
        }) {
            if !known.contains(&unknown) {
                let (session, reason) = (key.session, CancelReason::Superseded);
                self.send(
                    peer,
                    ToWorker::Cancel {
                        session,
                        key: unknown,
                        reason,
                    },
                );
            }
        }
        self.replace(key);
        self.dispatch_worker(key, now);
        self.bring_back(&missing, &services, now);
    }

    /// The worker that holds a session. A peer that names an unknown one is asked to register again.
    pub(super) fn known(&mut self, peer: Peer, session: u64, now: Time) -> Option<WorkerKey> {
        let mut key = self.workers.by_session(session);
        if Mutant::SessionIgnored.is_planted() {
            key = key.or(self.workers.by_peer(peer));
        }
        match key.and_then(|key| self.workers.get_mut(key)) {
            Some(_) if Mutant::LivenessNotReset.is_planted() => {}
            Some(worker) => worker.last_seen = now,
            None => {
                self.counters.unknown_sessions += 1;
                self.reject(
                    peer,
                    session,
                    RejectReason::UnknownSession,
                    "the session has ended or is another master's: register again",
                );
            }
        }
        key
    }

    pub(super) fn malformed(&mut self, peer: Peer, error: &WireError) {
        tracing::debug!(?peer, code = error.code(), "malformed message");
        self.counters.malformed += 1;
        if let WireError::Version { .. } = error {
            self.counters.other_versions += 1;
        }
        self.reject(peer, 0, error.reject_reason(), &error.to_string());
    }

    fn reject(&mut self, peer: Peer, session: u64, reason: RejectReason, message: &str) {
        if matches!(
            reason,
            RejectReason::InvalidRegistration
                | RejectReason::TooManyWorkers
                | RejectReason::Draining
        ) {
            self.counters.rejected += 1;
        }
        let rejection = Rejection {
            message: message.to_owned(),
            versions: vec![VERSION],
        };
        self.send(
            peer,
            ToWorker::Rejected {
                session,
                reason,
                rejection,
            },
        );
    }

    /// The worker wants no more jobs; it finishes or hands back what it has.
    pub(super) fn worker_drains(&mut self, key: WorkerKey, now: Time) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        worker.draining = true;
        if let Some(Exclusive::Reserved(service)) = worker.exclusive {
            worker.exclusive = None;
            self.services.get_mut(service).reserved -= 1;
            self.dispatch_service(service, now);
        }
        self.replace(key);
        self.confirm_drain(key);
    }

    /// Tells a worker that it gets nothing more, where its jobs go: so this comes after the last of them.
    fn confirm_drain(&mut self, key: WorkerKey) {
        if let Some(worker) = self.workers.get(key) {
            let session = key.session;
            self.send(worker.job_peer(), ToWorker::Drain { session });
        }
    }

    /// Ends a session: its jobs go elsewhere.
    pub(super) fn end_session(&mut self, key: WorkerKey, farewell: Farewell, now: Time) {
        let Some(worker) = self.remove_worker(key) else {
            return;
        };
        let reason = match farewell {
            Farewell::Silent => Some(DisconnectReason::Silent),
            Farewell::Overflow => Some(DisconnectReason::Overflow),
            Farewell::Lost | Farewell::Left | Farewell::Replaced => None,
        };
        if let Some(reason) = reason {
            self.send(
                worker.peer,
                ToWorker::Disconnect {
                    session: key.session,
                    reason,
                },
            );
        }
        let jobs = wanted_jobs(&worker.in_flight);
        if farewell.is_death() {
            self.suspect(&jobs, &worker, now);
        } else {
            self.bring_back(&jobs, &worker.services, now);
        }
    }

    pub(super) fn remove_worker(&mut self, key: WorkerKey) -> Option<Worker> {
        let worker = self.workers.remove(key)?;
        self.retire_timers(1 + usize::from(worker.recall_armed));
        if let Some(placement) = worker.placement {
            self.pool.displace(worker.group, placement);
        }
        let last = self.pool.leave(worker.group);
        self.services.withdraw(&worker.services, worker.slots());
        if last {
            for index in &worker.services {
                let groups = &mut self.services.get_mut(*index).groups;
                groups.retain(|group| *group != worker.group);
            }
        }
        if let Some(Exclusive::Reserved(service)) = worker.exclusive {
            self.services.get_mut(service).reserved -= 1;
        }
        if let Some(socket) = worker.socket {
            self.actions.push_back(Action::Close { socket });
        }
        Some(worker)
    }
}
