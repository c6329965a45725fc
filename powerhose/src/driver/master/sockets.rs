//! The sockets of a master: where messages come from, and where they go however full the way is.

use std::mem;
use std::path::{Component, Path};
use std::time::Duration;

use bytes::Bytes;

use super::listen::{Listening, options};
use super::outbox::{Outboxes, Overflow};
use super::own::{MAX_OWN_SOCKETS, OwnSockets};
use super::refusals::Refusals;
use crate::driver::endpoint::{Endpoint, Reach};
use crate::driver::frames::{Parcel, Sending};
use crate::driver::monitor::News;
use crate::driver::poll::{Poll, wait};
use crate::driver::socket::{Dealer, Foreign, Options, Origin, Router};
use crate::driver::wake::Sleeper;
use crate::driver::zap::ZapHandler;
use crate::master::{Config, Event, Peer};
use crate::time::Time;
use crate::wire::{FromWorker, RejectReason, Rejection, ToWorker, VERSION};

pub(super) struct Sockets {
    own: OwnSockets,
    listening: Listening,
    options: Options,
    max_body: usize,
    outboxes: Outboxes<Peer>,
    /// What the core is to be told of sends that failed, once everything received before has been handed in.
    failures: Vec<Event>,
    parcel: Parcel,
    frames: Vec<Bytes>,
    foreign: u64,
    refusals: Refusals,
}

impl Sockets {
    pub(super) fn new(listening: Listening, config: &Config) -> Self {
        Self {
            own: OwnSockets::default(),
            listening,
            // What is left for a worker that the core has parted from is of no use to it.
            options: Options {
                linger: Duration::ZERO,
                ..options(config)
            },
            max_body: config.max_body,
            // Their bodies are shared with the jobs, whose number and bytes the core bounds.
            outboxes: Outboxes::new(usize::MAX),
            failures: Vec::new(),
            parcel: Parcel::default(),
            frames: Vec::new(),
            foreign: 0,
            refusals: Refusals::default(),
        }
    }

    /// Sends a message, or keeps it for the peer until there is room.
    pub(super) fn send(&mut self, peer: Peer, message: ToWorker, now: Time) {
        self.parcel.for_worker(message);
        let sending = if self.outboxes.is_behind(peer) {
            Sending::WouldBlock
        } else {
            let mut parcel = mem::take(&mut self.parcel);
            let sending = self.deliver(peer, &mut parcel);
            self.parcel = parcel;
            sending
        };
        match sending {
            Sending::Sent => {}
            Sending::WouldBlock => {
                let parcel = mem::take(&mut self.parcel);
                if self.outboxes.push(peer, parcel, now) == Err(Overflow) {
                    self.failures.push(Event::Overflow { peer });
                }
            }
            Sending::Unreachable => self.failures.push(Event::Unreachable { peer }),
        }
    }

    fn deliver(&mut self, peer: Peer, parcel: &mut Parcel) -> Sending {
        match peer {
            Peer::Backend(connection) => self.listening.backend.send(connection, parcel),
            Peer::Socket(socket) => self.own.send(socket, parcel),
        }
    }

    /// Sends what waits, and tries again to deliver what there was no room for.
    pub(super) fn flush(&mut self, now: Time) {
        if self.outboxes.retry_at().is_some_and(|at| at <= now) {
            self.deliver_late(now);
        }
        self.listening.backend.flush(now);
        self.own.flush(now);
    }

    fn deliver_late(&mut self, now: Time) {
        let mut outboxes = mem::replace(&mut self.outboxes, Outboxes::new(usize::MAX));
        let lost = outboxes.flush(now, |peer, parcel| self.deliver(peer, parcel));
        self.outboxes = outboxes;
        let lost = lost.into_iter().map(|peer| Event::Unreachable { peer });
        self.failures.extend(lost);
    }

    /// Connects to the own socket of a worker that registered over `peer`.
    pub(super) fn connect(&mut self, socket: u32, path: &str, peer: Peer) {
        match self.open(path) {
            Ok(own) => self.own.insert(socket, peer, own),
            Err(why) => {
                let peer = Peer::Socket(socket);
                tracing::warn!(path, why, "refused to connect to a worker's own socket");
                self.failures.push(Event::Unreachable { peer });
            }
        }
    }

    fn open(&self, path: &str) -> Result<Dealer, &'static str> {
        if self.own.len() >= MAX_OWN_SOCKETS {
            return Err("there are as many connections of this kind as allowed");
        }
        let allowed = self.listening.runtime_directory.as_deref();
        if !allowed.is_some_and(|directory| is_inside(Path::new(path), directory)) {
            return Err("it is not inside the directory of the master's own socket");
        }
        let endpoint = Endpoint::to_connect(&format!("ipc://{path}"), Reach::Loopback)
            .map_err(|_| "it names no socket file")?;
        Dealer::connect(&self.listening.context, &endpoint, &self.options, None)
            .map_err(|_| "the system has no socket to spare")
    }

    /// Closes the connection to a worker's own socket.
    pub(super) fn close(&mut self, socket: u32) {
        self.own.close(socket);
        self.outboxes.forget(Peer::Socket(socket));
    }

    /// Receives up to `limit` messages from each socket and hands each to `deliver`. Returns whether all of them have been emptied.
    pub(super) fn receive(
        &mut self,
        limit: usize,
        now: Time,
        mut deliver: impl FnMut(Event),
    ) -> bool {
        let mut received = 0;
        while received < limit {
            self.frames.clear();
            match self.listening.backend.receive(&mut self.frames) {
                None => break,
                Some(Origin::Connection(connection)) => {
                    let peer = Peer::Backend(connection);
                    deliver(decode(peer, &mut self.frames, self.max_body));
                }
                Some(Origin::Foreign(peer)) => self.refuse(&peer),
            }
            received += 1;
        }
        let max_body = self.max_body;
        (self.own).receive(limit, &mut self.frames, now, |peer, frames| {
            deliver(decode(peer, frames, max_body));
        });
        self.listening.backend.is_dry() && self.own.are_dry()
    }

    /// Answers a peer that the core cannot name. Whether the answer arrives is the peer's concern.
    fn refuse(&mut self, peer: &Foreign) {
        self.foreign += 1;
        self.parcel.for_worker(ToWorker::Rejected {
            session: 0,
            reason: RejectReason::InvalidRegistration,
            rejection: Rejection {
                message: "peers must not set ZMQ_ROUTING_ID".to_owned(),
                versions: vec![VERSION],
            },
        });
        let _ = (self.listening.backend).send_to_foreign(peer, &mut self.parcel);
    }

    /// How many messages came from peers that chose their routing id themselves.
    pub(super) fn foreign(&self) -> u64 {
        self.foreign
    }

    /// What became of sends that failed. To be asked when everything received has been handed in.
    pub(super) fn failures(&mut self, now: Time) -> Vec<Event> {
        let mut failures = mem::take(&mut self.failures);
        failures.retain(|failure| {
            let Event::Unreachable { peer } = failure else {
                return true;
            };
            self.outboxes.forget(*peer);
            !self.own.hold(*peer, now)
        });
        let released = self.own.release(now).into_iter();
        failures.extend(released.map(|peer| Event::Unreachable { peer }));
        failures
    }

    /// Whether a connection of the backend closed since the last call. Takes note of connections that were refused.
    pub(super) fn disconnected(&mut self, now: Time) -> bool {
        let news = self.listening.backend.news();
        self.note(news, now)
    }

    /// Takes note of connections that were refused, at whichever socket. Returns whether one closed.
    pub(super) fn note(&mut self, news: News, now: Time) -> bool {
        let zap = self.listening.zap.as_ref();
        let is_dead = zap.is_some_and(ZapHandler::is_dead);
        self.refusals.note(news, is_dead, now);
        news.disconnected
    }

    /// How many connections were refused: for a key, or for want of one.
    pub(super) fn refused(&self) -> u64 {
        self.refusals.count()
    }

    /// Whether nothing is left to do but to wait for the sockets.
    pub(super) fn is_idle(&self) -> bool {
        self.listening.backend.is_idle() && self.failures.is_empty() && self.own.are_dry()
    }

    /// When something is due.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let deadlines = [
            self.outboxes.retry_at(),
            self.own.release_at(),
            self.own.next_deadline(),
            self.listening.backend.next_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Waits until something can be received, the sleeper is woken or the time is over. `sides` are the listening sockets
    /// beside the backend: for clients, for operators. Returns whether the sleeper was woken.
    pub(super) fn wait(
        &self,
        sides: [Option<&Router>; 2],
        sleeper: &Sleeper,
        timeout: Option<Duration>,
    ) -> bool {
        let mut poll = Poll::default();
        let woken = poll.add(sleeper.fd());
        let backend = self.listening.backend.watch(&mut poll);
        let sides = sides.map(|side| side.map(|router| (router, router.watch(&mut poll))));
        let own = self.own.watch(&mut poll);
        if let Err(error) = wait(&mut poll, timeout) {
            tracing::error!(%error, "cannot wait for messages");
            // Out of memory. Looking at everything, with a pause, is what is left to do.
            std::thread::sleep(Duration::from_millis(1));
            self.listening.backend.look_again();
            self.own.look_again();
            for (router, _) in sides.iter().flatten() {
                router.look_again();
            }
            return true;
        }
        self.listening.backend.note(&poll, backend);
        self.own.note(&poll, &own);
        for (router, places) in sides.into_iter().flatten() {
            router.note(&poll, places);
        }
        poll.is_ready(woken)
    }
}

fn decode(peer: Peer, frames: &mut [Bytes], max_body: usize) -> Event {
    match FromWorker::decode(frames, max_body) {
        Ok(message) => Event::Message { peer, message },
        Err(error) => Event::Malformed { peer, error },
    }
}

/// Whether a path leads to something inside a directory, by its text.
fn is_inside(path: &Path, directory: &Path) -> bool {
    let is_plain = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    is_plain && path != directory && path.starts_with(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_inside_by_its_text_is_inside() {
        let directory = Path::new("/run/jobs");
        let inside = |path| is_inside(Path::new(path), directory);
        assert!(inside("/run/jobs/worker"));
        assert!(inside("/run/jobs/a/worker"));
        for outside in [
            "/run/jobs",
            "/run/jobs/",
            "/run/jobs2/worker",
            "/run/jobs/../worker",
            "/run/jobs/a/../../worker",
            "run/jobs/worker",
            "worker",
            "",
            "/",
        ] {
            assert!(!inside(outside), "{outside}");
        }
    }
}
