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
use crate::driver::monitor::{Monitor, News};
use crate::driver::poll::{Poll, wait};
use crate::driver::socket::{Dealer, Options, Origin, Router};
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
    /// The backend has answered that there is nothing to receive, and has not been touched since.
    is_dry: bool,
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
            is_dry: false,
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
            Peer::Backend(connection) => {
                self.is_dry = false;
                self.listening.backend.send(connection, parcel)
            }
            Peer::Socket(socket) => self.own.send(socket, parcel),
        }
    }

    /// Tries again to deliver what there was no room for.
    pub(super) fn flush(&mut self, now: Time) {
        if self.outboxes.retry_at().is_none_or(|at| now < at) {
            return;
        }
        let mut outboxes = mem::replace(&mut self.outboxes, Outboxes::new(usize::MAX));
        let lost = outboxes.flush(now, |peer, parcel| self.deliver(peer, parcel));
        self.outboxes = outboxes;
        let lost = lost.into_iter().map(|peer| Event::Unreachable { peer });
        self.failures.extend(lost);
    }

    /// Connects to the own socket of a worker that registered over `peer`.
    pub(super) fn connect(&mut self, socket: u32, path: &str, peer: Peer) {
        match self.open(socket, path) {
            Ok(own) => self.own.insert(socket, peer, own),
            Err(why) => {
                let peer = Peer::Socket(socket);
                tracing::warn!(path, why, "refused to connect to a worker's own socket");
                self.failures.push(Event::Unreachable { peer });
            }
        }
    }

    fn open(&self, socket: u32, path: &str) -> Result<(Dealer, Monitor), &'static str> {
        if self.own.len() >= MAX_OWN_SOCKETS {
            return Err("there are as many connections of this kind as allowed");
        }
        let allowed = self.listening.runtime_directory.as_deref();
        if !allowed.is_some_and(|directory| is_inside(Path::new(path), directory)) {
            return Err("it is not inside the directory of the master's own socket");
        }
        let endpoint = Endpoint::to_connect(&format!("ipc://{path}"), Reach::Loopback)
            .map_err(|_| "it names no socket file")?;
        let context = &self.listening.context;
        (Dealer::connect(context, &endpoint, &self.options, None))
            .and_then(|mut dealer| {
                let monitor = dealer.monitor_end(context, &format!("own-{socket}"))?;
                Ok((dealer, monitor))
            })
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
        while !self.is_dry && received < limit {
            self.frames.clear();
            match self.listening.backend.receive(&mut self.frames) {
                None => self.is_dry = true,
                Some(Origin::Connection(connection)) => {
                    let peer = Peer::Backend(connection);
                    deliver(decode(peer, &mut self.frames, self.max_body));
                }
                Some(Origin::Foreign(id)) => self.refuse(&id),
            }
            received += 1;
        }
        let max_body = self.max_body;
        (self.own).receive(limit, &mut self.frames, now, |peer, frames| {
            deliver(decode(peer, frames, max_body));
        });
        self.is_dry && self.own.are_dry()
    }

    /// Answers a peer that the core cannot name. Whether the answer arrives is the peer's concern.
    fn refuse(&mut self, id: &[u8]) {
        self.foreign += 1;
        self.parcel.for_worker(ToWorker::Rejected {
            session: 0,
            reason: RejectReason::InvalidRegistration,
            rejection: Rejection {
                message: "peers must not set ZMQ_ROUTING_ID".to_owned(),
                versions: vec![VERSION],
            },
        });
        let _ = (self.listening.backend).send_to_foreign(id, &mut self.parcel);
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
        let news = self.listening.monitor.take();
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
        self.is_dry && self.failures.is_empty() && self.own.are_dry()
    }

    /// When mail that there was no room for is to be tried again, or a loss is to be told.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let deadlines = [self.outboxes.retry_at(), self.own.release_at()];
        deadlines.into_iter().flatten().min()
    }

    /// Waits until something can be received, the sleeper is woken or the time is over.
    pub(super) fn wait(
        &mut self,
        mut sides: [Option<Side<'_>>; SIDES],
        sleeper: &Sleeper,
        timeout: Option<Duration>,
    ) -> Ready {
        let mut poll = Poll::default();
        let woken = poll.add(sleeper.fd());
        let monitor = poll.add(self.listening.monitor.fd());
        let backend = poll.add(self.listening.backend.fd());
        let first_own = backend + 1;
        for fd in self.own.fds().flatten() {
            poll.add(fd);
        }
        let places = sides.each_ref().map(|side| {
            let side = side.as_ref()?;
            Some([side.router.fd(), side.monitor.fd()].map(|fd| poll.add(fd)))
        });
        if let Err(error) = wait(&mut poll, timeout) {
            tracing::error!(%error, "cannot wait for messages");
            // Out of memory. Looking at everything, with a pause, is what is left to do.
            std::thread::sleep(Duration::from_millis(1));
            self.is_dry = false;
            self.own.look_at_all();
            let news = sides.each_mut().map(|side| {
                let side = side.as_mut()?;
                *side.is_dry = false;
                Some(side.monitor.take())
            });
            return Ready {
                woken: true,
                monitor: true,
                news,
            };
        }
        let is_ready = |place| poll.is_ready(place);
        let (woken, monitor, backend) = (is_ready(woken), is_ready(monitor), is_ready(backend));
        let own = (first_own..).step_by(2).take(self.own.len());
        let own: Vec<_> = own.map(|place| [place, place + 1].map(is_ready)).collect();
        let places = places.map(|places| places.map(|places| places.map(is_ready)));
        self.is_dry &= !backend;
        self.own.note(own);
        let mut news = [None; SIDES];
        for ((side, places), news) in sides.iter_mut().zip(places).zip(&mut news) {
            if let (Some(side), Some([router, monitor])) = (side, places) {
                *side.is_dry &= !router;
                *news = monitor.then(|| side.monitor.take());
            }
        }
        Ready {
            woken,
            monitor,
            news,
        }
    }
}

/// What a wait found, besides sockets with messages.
pub(super) struct Ready {
    pub(super) woken: bool,
    pub(super) monitor: bool,
    /// What the monitors of the other listening sockets told.
    pub(super) news: [Option<News>; SIDES],
}

/// The listening sockets beside the backend: for clients, for operators.
pub(super) const SIDES: usize = 2;

/// One of them, as it is watched during a wait.
pub(super) struct Side<'a> {
    router: &'a Router,
    monitor: &'a mut Monitor,
    is_dry: &'a mut bool,
}

impl<'a> Side<'a> {
    pub(super) fn new(router: &'a Router, monitor: &'a mut Monitor, is_dry: &'a mut bool) -> Self {
        Self {
            router,
            monitor,
            is_dry,
        }
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
