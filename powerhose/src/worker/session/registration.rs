//! Finding a master, keeping it, losing it.

use std::time::Duration;

use super::{Inflow, Link, Output, Session, Up};
use crate::time::Time;
use crate::wire::limits::REGISTER_TIMEOUT;
use crate::wire::{FromWorker, Register, Registered, RejectReason, Rejection, RunningJob};
use crate::worker::Exit;

impl Session {
    /// A new connection, and the wish for a session over it.
    pub(super) fn open(&mut self, now: Time) {
        self.outputs.push_back(Output::Open);
        self.register(now);
    }

    fn register(&mut self, now: Time) {
        let started = self
            .slots
            .busy()
            .filter(|job| job.wanted)
            .map(|job| job.key);
        let kept = self.kept.iter().map(|answer| answer.key);
        let running = started
            .chain(kept)
            .map(|key| RunningJob {
                job: key.job,
                attempt: key.attempt,
            })
            .collect();
        self.send(FromWorker::Register {
            session: self.id,
            register: Register {
                running,
                ..self.config.register.clone()
            },
        });
        self.link = Link::Registering {
            until: now + REGISTER_TIMEOUT,
        };
    }

    /// A wait is over: that before a try, or that for its answer.
    pub(super) fn retry(&mut self, now: Time) {
        if matches!(self.link, Link::Backoff { .. }) {
            self.open(now);
        } else {
            self.counters.refused += 1;
            self.back_off(now);
        }
    }

    fn back_off(&mut self, now: Time) {
        self.link = Link::Backoff {
            until: now + self.reconnect.delay(&mut self.rng),
        };
        self.settle(now);
    }

    pub(super) fn registered(&mut self, session: u64, terms: &Registered, now: Time) {
        if session == self.id {
            self.counters.resumed += 1;
        } else {
            self.counters.registered += 1;
            self.abandon();
            self.id = session;
        }
        // A heartbeat of 0 would leave no time for anything else.
        let heartbeat = Duration::from_millis(terms.heartbeat_ms.max(1).into());
        self.link = Link::Up(Up {
            since: now,
            heard: now,
            ping_at: now + heartbeat,
            heartbeat,
            silence: heartbeat * terms.misses.max(1),
            max_body: terms.max_body,
            inflow: Inflow::Open,
        });
        if self.leaving.is_some() {
            self.announce(now);
        }
        for answer in std::mem::take(&mut self.kept) {
            self.answer(answer);
        }
        self.settle(now);
    }

    /// The answer to REGISTER was no.
    pub(super) fn refused(&mut self, reason: RejectReason, rejection: Rejection, now: Time) {
        self.counters.refused += 1;
        match reason {
            RejectReason::UnknownSession if self.id != 0 => {
                self.abandon();
                if self.leaving.is_none() {
                    self.register(now);
                } else {
                    self.settle(now);
                }
            }
            RejectReason::UnknownSession
            | RejectReason::TooManyWorkers
            | RejectReason::Draining => self.back_off(now),
            RejectReason::UnsupportedVersion
            | RejectReason::Malformed
            | RejectReason::UnknownCommand
            | RejectReason::InvalidRegistration
            | RejectReason::TooLarge
            | RejectReason::TooManyClients => self.exit(Exit::Rejected {
                reason,
                message: rejection.message,
            }),
        }
    }

    /// The master has not been heard for too long. It may be the connection alone: the session is kept.
    pub(super) fn silent(&mut self, now: Time) {
        self.counters.silences += 1;
        self.counters.forgotten += self.waiting.len() as u64;
        self.waiting.clear();
        self.lost(now);
    }

    /// The master has ended the session.
    pub(super) fn disconnected(&mut self, now: Time) {
        self.counters.disconnected += 1;
        self.abandon();
        self.lost(now);
    }

    fn lost(&mut self, now: Time) {
        if let Link::Up(up) = &self.link {
            self.reconnect.lost(now.since(up.since), now);
        }
        self.back_off(now);
    }

    /// Forgets a session: nobody wants what is left of it.
    fn abandon(&mut self) {
        self.id = 0;
        self.seen.clear();
        self.counters.forgotten += self.waiting.len() as u64;
        self.waiting.clear();
        self.counters.unwanted += self.kept.len() as u64;
        self.kept.clear();
        for (slot, job) in self.slots.busy_mut() {
            job.wanted = false;
            if !std::mem::replace(&mut job.cancelled, true) {
                self.outputs.push_back(Output::Cancel { slot });
            }
        }
    }
}
