//! The loop around the sockets.
//!
//! Each turn receives what is there, up to a bound, takes it to the session, and does what the session and the slots' threads left to
//! do. Only after a turn in which there was nothing to do may the thread sleep: libzmq's descriptors tell of what came since the
//! socket was last found empty.

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::control::Control;
use super::exit::Exit;
use super::overrun::{Overrun, Watchdog};
use super::own_socket::OwnSocket;
use super::session::{Input, State};
use super::shared::{Errand, Exchange, Shared, Standing};
use super::signals::Signals;
use super::stopper::Listener;
use crate::driver::clock::Clock;
use crate::driver::poll::{Poll, wait};
use crate::driver::wake::Sleeper;
use crate::time::Time;
use crate::wire::{FromWorker, JobKey, ToWorker, WireError};

/// Messages received before the session is told. Enough to share one lock among many, few enough that the first one is worked on,
/// and a result which is ready goes out, before all that has come is read.
const MESSAGES_PER_TURN: usize = 16;

/// How long the last messages may take to reach the master, after which the worker leaves without it.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often a message that found no room is tried again, in case libzmq does not say that there is some.
const RETRY: Duration = Duration::from_millis(10);

/// What a pump is made of.
pub(super) struct Parts {
    pub(super) control: Control,
    pub(super) own: Option<OwnSocket>,
    pub(super) services: Arc<[String]>,
    pub(super) watchdog: Option<Watchdog>,
    pub(super) shared: Arc<Shared>,
    pub(super) sleeper: Sleeper,
    pub(super) wishes: Listener,
    pub(super) signals: Option<Signals>,
    pub(super) clock: Clock,
}

/// Moves messages between the sockets and the session.
pub(super) struct Pump {
    parts: Parts,
    frames: Vec<Bytes>,
    exchange: Exchange,
    standing: Standing,
    now: Time,
}

/// What a turn led to.
pub(super) enum Turn {
    /// There was something to do; there may be more.
    Busy,
    /// There is nothing to do before this time.
    Idle(Option<Time>),
    /// The worker is done.
    Done(Exit),
}

impl Pump {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            parts,
            frames: Vec::new(),
            exchange: Exchange::default(),
            standing: Standing::default(),
            now: Time::ZERO,
        }
    }

    /// Runs until the worker leaves.
    ///
    /// # Errors
    /// When the system refuses a socket.
    pub(super) fn run(mut self) -> io::Result<Exit> {
        loop {
            match self.turn()? {
                Turn::Busy => {}
                Turn::Idle(due) => self.sleep(due, || true)?,
                Turn::Done(exit) => {
                    self.close();
                    return Ok(exit);
                }
            }
        }
    }

    /// Receives what is there, up to the bound, and does what is to be done.
    ///
    /// # Errors
    /// When the system refuses a socket.
    pub(super) fn turn(&mut self) -> io::Result<Turn> {
        self.receive();
        self.receive_at_own_socket();
        self.settle(self.parts.clock.now())
    }

    /// Does what is to be done, without receiving: to ask an empty socket costs a system call.
    ///
    /// # Errors
    /// When the system refuses a socket.
    pub(super) fn settle(&mut self, now: Time) -> io::Result<Turn> {
        self.now = now;
        self.exchange.inputs.extend(self.parts.wishes.news());
        if let Some(signals) = &mut self.parts.signals {
            signals.news(&mut self.exchange.inputs);
        }
        let received = !self.exchange.inputs.is_empty();
        let standing = self.parts.shared.exchange(&mut self.exchange, now);
        self.note(standing);
        let mut errands = mem::take(&mut self.exchange.errands);
        let turn = if received || !errands.is_empty() {
            Turn::Busy
        } else {
            Turn::Idle(standing.due)
        };
        let mut exit = None;
        for errand in errands.drain(..) {
            match errand {
                Errand::Open => self.open()?,
                Errand::Send(message) => self.send(message),
                Errand::Overrun {
                    key,
                    service,
                    running,
                } => self.report(key, service, running),
                Errand::Exit(reason) => exit = Some(reason),
            }
        }
        self.exchange.errands = errands;
        let was_stuck = self.is_stuck();
        self.flush();
        self.write(now);
        // While a message waited for room nothing was received.
        let turn = if was_stuck && !self.is_stuck() {
            Turn::Busy
        } else {
            turn
        };
        Ok(exit.map_or(turn, Turn::Done))
    }

    /// When the last turn was.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    fn receive(&mut self) {
        for _ in 0..MESSAGES_PER_TURN {
            self.frames.clear();
            if !self.parts.control.receive(&mut self.frames) {
                return;
            }
            let message = ToWorker::decode(&mut self.frames, usize::MAX);
            self.exchange.inputs.push(input(message));
        }
    }

    /// The same for the worker's own socket, once the worker knows the session whose jobs come there.
    fn receive_at_own_socket(&mut self) {
        let Some(own) = &mut self.parts.own else {
            return;
        };
        if !self.standing.is_up() {
            return;
        }
        for _ in 0..MESSAGES_PER_TURN {
            let Some(connection) = own.receive(&mut self.frames) else {
                return;
            };
            let message = ToWorker::decode(&mut self.frames, usize::MAX);
            if let Ok(message) = &message {
                own.note(message, connection, self.standing.session);
            }
            self.exchange.inputs.push(input(message));
        }
    }

    fn send(&mut self, message: FromWorker) {
        let message = match &mut self.parts.own {
            Some(own) => own.send(message),
            None => Some(message),
        };
        if let Some(message) = message {
            self.parts.control.send(message);
        }
    }

    /// Sends what there is room for.
    fn flush(&mut self) {
        if let Some(own) = &mut self.parts.own {
            while let Some(message) = own.flush() {
                self.parts.control.send(message);
            }
        }
        self.parts.control.flush();
    }

    /// Writes what was sent, as far as the master takes it.
    fn write(&mut self, now: Time) {
        if let Some(own) = &mut self.parts.own {
            own.write(now);
        }
        self.parts.control.write(now);
    }

    fn is_stuck(&self) -> bool {
        self.parts.control.is_stuck() || (self.parts.own.as_ref()).is_some_and(OwnSocket::is_stuck)
    }

    fn open(&mut self) -> io::Result<()> {
        if let Some(own) = &mut self.parts.own {
            own.reset();
        }
        self.parts.control.open()
    }

    /// Sleeps until there is something to do, or until this time. `wanted` is asked once more when a wake-up can no longer be missed.
    ///
    /// # Errors
    /// When the system is out of memory.
    pub(super) fn sleep(&mut self, due: Option<Time>, wanted: impl Fn() -> bool) -> io::Result<()> {
        let is_stuck = self.is_stuck();
        let Parts {
            control,
            own,
            shared,
            sleeper,
            wishes,
            signals,
            clock,
            ..
        } = &mut self.parts;
        sleeper.prepare();
        if !wanted() || shared.has_errands() || wishes.has_news() {
            sleeper.finish(false);
            return Ok(());
        }
        let mut poll = Poll::default();
        let wake_up = poll.add(sleeper.fd());
        control.watch(&mut poll);
        // Nor is it received from while something waits for room in it.
        let own = own.as_ref();
        let own = own.filter(|own| self.standing.is_up() && !own.is_stuck());
        let own = own.map(|own| (own, own.watch(&mut poll)));
        for fd in signals.iter().flat_map(Signals::fds) {
            poll.add(fd);
        }
        let deadlines = [
            due,
            control.next_deadline(),
            own.as_ref().and_then(|(own, _)| own.next_deadline()),
        ];
        let due = deadlines.into_iter().flatten().min();
        let mut timeout = due.map(|due| due - clock.now());
        if is_stuck {
            timeout = Some(timeout.unwrap_or(RETRY).min(RETRY));
        }
        wait(&mut poll, timeout)?;
        if let Some((own, places)) = own {
            own.look(&poll, places);
        }
        sleeper.finish(poll.is_ready(wake_up));
        Ok(())
    }

    /// Closes the sockets, after seeing to it that what was sent last gets out, as far as the master takes it.
    pub(super) fn close(mut self) {
        let give_up = self.parts.clock.now() + LAST_WORDS;
        while self.is_stuck() && self.parts.clock.now() < give_up {
            if wait(&mut Poll::default(), Some(RETRY)).is_err() {
                break;
            }
            self.flush();
            self.write(self.parts.clock.now());
        }
        // A master that finds the connection closed must not have results in front of it elsewhere.
        self.parts.own = None;
        self.parts.control.set_linger(LAST_WORDS);
    }

    fn note(&mut self, standing: Standing) {
        let before = mem::replace(&mut self.standing, standing).state;
        let state = standing.state;
        if state == before {
            return;
        }
        let endpoint = self.parts.control.endpoint();
        match state {
            State::Active => tracing::debug!(%endpoint, "registered"),
            State::Backoff if before == State::Registering => {
                tracing::debug!(%endpoint, "not registered, will try again");
            }
            State::Backoff => tracing::warn!(%endpoint, "the master is gone, will try again"),
            State::Registering => tracing::debug!(%endpoint, "registering"),
            State::Draining => tracing::debug!(%endpoint, "draining"),
            State::Exited => tracing::debug!(%endpoint, "leaving"),
        }
    }

    fn report(&self, key: JobKey, service: u16, running: Duration) {
        let services = &self.parts.services;
        let overrun = Overrun {
            service: (services.get(usize::from(service)).cloned()).unwrap_or_default(),
            job: key.job,
            attempt: key.attempt,
            running,
        };
        tracing::warn!(
            job = overrun.job,
            attempt = overrun.attempt,
            service = overrun.service,
            ?running,
            "a handler overruns its time"
        );
        if let Some(watchdog) = &self.parts.watchdog {
            watchdog.tell(&overrun);
        }
    }
}

/// What was received, for the session.
fn input(message: Result<ToWorker, WireError>) -> Input {
    match message {
        Ok(message) => Input::Message(message),
        Err(error) => {
            tracing::debug!(%error, "the master sent something that is no message");
            Input::Malformed(error)
        }
    }
}
