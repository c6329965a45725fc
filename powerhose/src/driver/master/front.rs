//! The frontend of a standalone master: its socket, the mail for clients that are behind, and the core that knows them.

use std::mem;
use std::thread;

use bytes::Bytes;

use super::listen::LINGER;
use super::outbox::{Outboxes, Overflow};
use crate::driver::clock::Clock;
use crate::driver::frames::{Parcel, Sending};
use crate::driver::monitor::News;
use crate::driver::socket::{Foreign, Origin, Router};
use crate::master::frontend::{
    Frontend, FrontendAction, FrontendConfig, FrontendCounters, FrontendEvent,
};
use crate::master::{NewJob, Ticket};
use crate::time::Time;
use crate::wire::{FromClient, RejectReason, Rejection, ToClient, VERSION};

/// The most bytes of mail kept for one client that does not read, on top of what the socket keeps.
const MAX_OUTBOX_BYTES: usize = 64 * 1024 * 1024;

/// What the frontend asks of the driver.
pub(super) enum Request {
    Submit(Ticket, NewJob),
    Cancel(Ticket),
    /// A report is wanted: see [`Front::report`].
    Report(u64),
}

pub(super) struct Front {
    pub(super) core: Frontend,
    router: Router,
    outboxes: Outboxes<u64>,
    failures: Vec<FrontendEvent>,
    parcel: Parcel,
    frames: Vec<Bytes>,
    foreign: u64,
}

impl Front {
    pub(super) fn new(router: Router, config: FrontendConfig) -> Self {
        Self {
            core: Frontend::new(config, rand::random()),
            router,
            outboxes: Outboxes::new(MAX_OUTBOX_BYTES),
            failures: Vec::new(),
            parcel: Parcel::default(),
            frames: Vec::new(),
            foreign: 0,
        }
    }

    /// What is to be watched while the thread sleeps.
    pub(super) fn router(&self) -> &Router {
        &self.router
    }

    /// What happened to connections since the last call.
    pub(super) fn news(&mut self) -> News {
        self.router.news()
    }

    /// Receives up to `limit` messages. Returns whether there are no more.
    pub(super) fn receive(&mut self, limit: usize, now: Time) -> bool {
        let mut received = 0;
        while received < limit {
            self.frames.clear();
            match self.router.receive(&mut self.frames) {
                None => break,
                Some(Origin::Connection(connection)) => {
                    let event = match FromClient::decode(&mut self.frames) {
                        Ok(message) => FrontendEvent::Message {
                            connection,
                            message,
                        },
                        Err(error) => FrontendEvent::Malformed { connection, error },
                    };
                    self.core.handle(event, now);
                }
                Some(Origin::Foreign(peer)) => self.refuse(&peer),
            }
            received += 1;
        }
        self.router.is_dry()
    }

    /// Tells the core what became of what was sent, and the time. To be called when everything received has been handed in.
    pub(super) fn settle(&mut self, now: Time) {
        for failure in mem::take(&mut self.failures) {
            if let FrontendEvent::Unreachable { connection } = failure {
                self.outboxes.forget(connection);
            }
            self.core.handle(failure, now);
        }
        if self.core.next_deadline().is_some_and(|at| at <= now) {
            self.core.handle(FrontendEvent::Tick, now);
        }
    }

    /// Sends what the core wants to be sent, up to the next thing that it wants of the driver.
    pub(super) fn next_request(&mut self, now: Time) -> Option<Request> {
        loop {
            match self.core.poll_action()? {
                FrontendAction::Send {
                    connection,
                    message,
                } => self.send(connection, message, now),
                FrontendAction::Submit { ticket, job } => {
                    return Some(Request::Submit(ticket, job));
                }
                FrontendAction::Cancel { ticket } => return Some(Request::Cancel(ticket)),
                FrontendAction::Report { connection } => return Some(Request::Report(connection)),
            }
        }
    }

    /// Sends a report.
    pub(super) fn report(&mut self, connection: u64, body: Bytes, now: Time) {
        self.send(connection, ToClient::Report { body }, now);
    }

    fn send(&mut self, connection: u64, message: ToClient, now: Time) {
        self.parcel.for_client(message);
        let sending = if self.outboxes.is_behind(connection) {
            Sending::WouldBlock
        } else {
            self.router.send(connection, &mut self.parcel)
        };
        match sending {
            Sending::Sent => {}
            Sending::WouldBlock => {
                let parcel = mem::take(&mut self.parcel);
                if self.outboxes.push(connection, parcel, now) == Err(Overflow) {
                    self.failures.push(FrontendEvent::Overflow { connection });
                }
            }
            Sending::Unreachable => {
                self.failures
                    .push(FrontendEvent::Unreachable { connection });
            }
        }
    }

    /// Sends what waits, and tries again to deliver what there was no room for.
    pub(super) fn flush(&mut self, now: Time) {
        if self.outboxes.retry_at().is_some_and(|at| at <= now) {
            self.deliver_late(now);
        }
        self.router.flush(now);
    }

    fn deliver_late(&mut self, now: Time) {
        let router = &mut self.router;
        let lost = (self.outboxes).flush(now, |connection, parcel| router.send(connection, parcel));
        let lost = lost.into_iter();
        (self.failures).extend(lost.map(|connection| FrontendEvent::Unreachable { connection }));
    }

    /// Gives clients that are behind some more time to take their mail.
    pub(super) fn deliver_last(&mut self, clock: &Clock) {
        let give_up = clock.now() + LINGER;
        while let Some(at) = self.outboxes.retry_at()
            && clock.now() < give_up
        {
            thread::sleep(at - clock.now());
            self.flush(clock.now());
        }
    }

    /// Answers a peer that the core cannot name. Whether the answer arrives is the peer's concern.
    fn refuse(&mut self, peer: &Foreign) {
        self.foreign += 1;
        self.parcel.for_client(ToClient::Rejected {
            session: 0,
            reason: RejectReason::InvalidRegistration,
            rejection: Rejection {
                message: "peers must not set ZMQ_ROUTING_ID".to_owned(),
                versions: vec![VERSION],
            },
        });
        let _ = self.router.send_to_foreign(peer, &mut self.parcel);
    }

    /// What the core counts, and what only this sees.
    pub(super) fn counters(&self) -> FrontendCounters {
        FrontendCounters {
            foreign: self.foreign,
            ..*self.core.counters()
        }
    }

    /// Whether nothing is left to do but to wait for the socket.
    pub(super) fn is_idle(&self) -> bool {
        self.router.is_idle() && self.failures.is_empty()
    }

    /// When something is due.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let deadlines = [
            self.core.next_deadline(),
            self.outboxes.retry_at(),
            self.router.next_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }
}
