//! Who is still there. Connections tell of processes that died, silence of those that are stuck.

use std::time::Duration;

use super::Master;
use super::event::Peer;
use super::mutants::Mutant;
use super::registration::Farewell;
use super::timers::Timer;
use super::workers::WorkerKey;
use crate::time::Time;
use crate::wire::ToWorker;

/// How often in a heartbeat interval the master makes sure that it was not stopped.
const PULSES: u32 = 4;

impl Master {
    /// How long an idle worker may be silent.
    pub(super) fn silence_limit(&self) -> Duration {
        self.config.heartbeat * self.config.misses
    }

    /// Credits the time during which the whole process was stopped to every worker.
    pub(super) fn credit_pause(&mut self, now: Time) {
        let Some(expected) = self.expected else {
            return;
        };
        let gap = now.since(expected);
        if gap <= self.config.heartbeat / PULSES || Mutant::PauseNotCredited.is_planted() {
            return;
        }
        tracing::debug!(?gap, "the master was stopped for a while");
        self.counters.pauses += 1;
        for worker in self.workers.iter_mut() {
            worker.last_seen = worker.last_seen + gap;
            worker.last_result = worker.last_result + gap;
        }
    }

    /// Has the driver come by often enough for no pause worth a credit to go unnoticed.
    pub(super) fn start_pulse(&mut self, now: Time) {
        if !std::mem::replace(&mut self.pulsing, true) {
            self.timers
                .arm(now + self.config.heartbeat / PULSES, Timer::Pulse);
        }
    }

    pub(super) fn pulse(&mut self, now: Time) {
        self.pulsing = false;
        if self.workers.len() > 0 {
            self.start_pulse(now);
        }
    }

    pub(super) fn check_silence(&mut self, key: WorkerKey, now: Time) {
        let limit = self.silence_limit();
        let Some(worker) = self.workers.get(key) else {
            return;
        };
        let due = worker.last_seen + limit;
        if due > now {
            self.timers.arm(due, Timer::Silence(key));
        } else if worker.in_flight.is_empty() || Mutant::BusyExpired.is_planted() {
            tracing::debug!(session = key.session, "worker silent for too long");
            self.counters.workers_silent += 1;
            self.end_session(key, Farewell::Silent, now);
        } else {
            // A handler may keep a worker from pinging for as long as it runs: its deadline and the connection decide.
            self.timers.arm(now + limit, Timer::Silence(key));
        }
    }

    pub(super) fn unreachable(&mut self, peer: Peer, now: Time) {
        let Some(key) = self.workers.by_peer(peer) else {
            return;
        };
        tracing::debug!(session = key.session, "worker lost");
        self.counters.workers_lost += 1;
        self.note_loss(now);
        self.end_session(key, Farewell::Lost, now);
    }

    pub(super) fn overflow(&mut self, peer: Peer, now: Time) {
        let Some(key) = self.workers.by_peer(peer) else {
            return;
        };
        self.counters.workers_overflowed += 1;
        self.end_session(key, Farewell::Overflow, now);
    }

    /// A process that was started for this master exited. Its connection closes with it, so a probe tells which worker
    /// it was: process ids alone do not, workers may be on other hosts.
    pub(super) fn exited(&mut self, pid: u32, now: Time) {
        tracing::debug!(pid, "a supervised process exited");
        self.probe_soon(now);
    }

    pub(super) fn probe_soon(&mut self, now: Time) {
        if let Some(at) = self.probing.begin(now, self.workers.len()) {
            self.timers.arm(at, Timer::Probe);
        }
    }

    /// Writes to every worker: a connection that is gone answers at once.
    pub(super) fn probe(&mut self, now: Time) {
        if !self.probing.is_due(now) || Mutant::ProbeNotSent.is_planted() {
            return;
        }
        for key in self.workers.keys() {
            if let Some(worker) = self.workers.get(key) {
                self.send(
                    worker.peer,
                    ToWorker::Heartbeat {
                        session: key.session,
                    },
                );
            }
        }
        if let Some(at) = self.probing.done(self.workers.len()) {
            self.timers.arm(at, Timer::Probe);
        }
    }
}
