//! What the threads of a worker share: the session, behind one lock.
//!
//! A slot's thread that has finished a job tells the session so itself and takes the next one out of it, without a detour over
//! the thread that owns the socket. That one is woken, if it sleeps, only to send the result.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::exit::Exit;
use super::job::{Job, Origin, Slot};
use super::session::{Assignment, Input, Output, Session, State as SessionState};
use crate::driver::clock::Clock;
use crate::driver::wake::Waker;
use crate::time::Time;
use crate::wire::{FromWorker, JobKey, ResultCode};

pub(super) struct Shared {
    state: Mutex<State>,
    /// One for each slot: its thread waits here for a job.
    bells: Vec<Condvar>,
    waker: Waker,
    clock: Clock,
}

struct State {
    session: Session,
    /// Threads read the clock before they get the lock, the session wants times in order.
    now: Time,
    places: Vec<Place>,
    errands: Vec<Errand>,
    /// Slots whose threads wait for a job that is there now.
    rings: Vec<u16>,
    /// Handlers that run.
    running: usize,
    closed: bool,
}

/// A slot as the threads see it.
struct Place {
    /// The job that the slot's thread shall take.
    job: Option<Assignment>,
    /// Whether the thread sleeps and has to be told.
    sleeps: bool,
    /// The number of jobs that the slot was given.
    run: u64,
    slot: Arc<Slot>,
}

/// What the session wants of the thread that owns the socket.
pub(super) enum Errand {
    /// See [`Output::Open`].
    Open,
    /// See [`Output::Send`].
    Send(FromWorker),
    /// See [`Output::Overrun`].
    Overrun {
        key: JobKey,
        service: u16,
        running: Duration,
    },
    /// See [`Output::Exit`].
    Exit(Exit),
}

/// How a handler ended.
pub(super) struct Finished {
    pub(super) code: ResultCode,
    pub(super) elapsed: Duration,
    pub(super) body: Bytes,
    pub(super) at: Time,
}

/// What the thread that owns the socket exchanges with the session. One is reused for every exchange.
#[derive(Default)]
pub(super) struct Exchange {
    /// What came.
    pub(super) inputs: Vec<Input>,
    /// What is to be done, in this order.
    pub(super) errands: Vec<Errand>,
    rings: Vec<u16>,
}

/// How things stand after an exchange with the session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) state: SessionState,
    /// The session that the master issued, or 0.
    pub(super) session: u64,
    /// When the session wants to be asked again, whatever happens.
    pub(super) due: Option<Time>,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            state: SessionState::Registering,
            session: 0,
            due: None,
        }
    }
}

impl Standing {
    /// Whether the master has confirmed the session.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, SessionState::Active | SessionState::Draining)
    }
}

impl Shared {
    pub(super) fn new(session: Session, slots: Vec<Arc<Slot>>, waker: Waker, clock: Clock) -> Self {
        let bells = slots.iter().map(|_| Condvar::new()).collect();
        let place = |slot| Place {
            job: None,
            sleeps: false,
            run: 0,
            slot,
        };
        let mut state = State {
            session,
            now: Time::ZERO,
            places: slots.into_iter().map(place).collect(),
            errands: Vec::new(),
            rings: Vec::new(),
            running: 0,
            closed: false,
        };
        state.sort_outputs();
        Self {
            state: Mutex::new(state),
            bells,
            waker,
            clock,
        }
    }

    /// For the thread that owns the socket: hands in what came, lets time pass, takes what is to be done, in this order.
    pub(super) fn exchange(&self, exchange: &mut Exchange, now: Time) -> Standing {
        let Exchange {
            inputs,
            errands,
            rings,
        } = exchange;
        let mut state = self.lock();
        for input in inputs.drain(..) {
            state.handle(input, now);
        }
        let mut due = state.session.next_deadline();
        if due.is_some_and(|due| due <= now) {
            state.handle(Input::Tick, now);
            due = state.session.next_deadline();
        }
        errands.append(&mut state.errands);
        rings.append(&mut state.rings);
        let standing = Standing {
            state: state.session.state(),
            session: state.session.id(),
            due,
        };
        // A thread that was told earlier would only wait for the lock.
        drop(state);
        for slot in rings.drain(..) {
            self.bells[usize::from(slot)].notify_one();
        }
        standing
    }

    /// Whether there is something to do for the thread that owns the socket.
    pub(super) fn has_errands(&self) -> bool {
        !self.lock().errands.is_empty()
    }

    /// For the thread of a slot: hands in how its job ended and takes the next one. Waits for it; `None` ends the thread.
    pub(super) fn next(&self, slot: u16, finished: Option<Finished>) -> Option<Job> {
        if let Some(finished) = finished {
            let mut state = self.finish_in(slot, finished);
            let next = self.take_from(&mut state, slot);
            drop(state);
            self.waker.wake();
            if next.is_some() {
                return next;
            }
        }
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = self.take_from(&mut state, slot) {
                return Some(job);
            }
            state.places[usize::from(slot)].sleeps = true;
            state =
                (self.bells[usize::from(slot)].wait(state)).unwrap_or_else(PoisonError::into_inner);
            state.places[usize::from(slot)].sleeps = false;
        }
    }

    /// Hands in how a slot's job ended.
    pub(super) fn finish(&self, slot: u16, finished: Finished) {
        drop(self.finish_in(slot, finished));
    }

    /// Takes the job that is there for a slot.
    pub(super) fn take(&self, slot: u16) -> Option<Job> {
        self.take_from(&mut self.lock(), slot)
    }

    /// Wakes the thread that owns the sockets, if it sleeps.
    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    fn finish_in(&self, slot: u16, finished: Finished) -> MutexGuard<'_, State> {
        let Finished {
            code,
            elapsed,
            body,
            at,
        } = finished;
        let mut state = self.lock();
        state.running -= 1;
        let input = Input::Finished {
            slot,
            code,
            elapsed,
            body,
        };
        state.handle(input, at);
        state
    }

    fn take_from(&self, state: &mut State, slot: u16) -> Option<Job> {
        if state.closed {
            return None;
        }
        let place = &mut state.places[usize::from(slot)];
        let assignment = place.job.take()?;
        state.running += 1;
        let origin = Origin {
            slot: Arc::clone(&place.slot),
            run: place.run,
            clock: self.clock,
        };
        Some(Job::new(assignment, origin))
    }

    /// Sends the threads of all slots home. Returns whether none of them is in a handler.
    pub(super) fn close(&self) -> bool {
        let idle = {
            let mut state = self.lock();
            state.closed = true;
            state.running == 0
        };
        self.bells.iter().for_each(Condvar::notify_one);
        idle
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn handle(&mut self, input: Input, now: Time) {
        self.now = self.now.max(now);
        self.session.handle(input, self.now);
        self.sort_outputs();
    }

    /// Gives each slot what is meant for it and keeps the rest for the thread that owns the socket.
    fn sort_outputs(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Start { slot, job } => {
                    let place = &mut self.places[usize::from(slot)];
                    place.run += 1;
                    place.job = Some(job);
                    if place.sleeps {
                        self.rings.push(slot);
                    }
                }
                Output::Cancel { slot } => {
                    let place = &self.places[usize::from(slot)];
                    place.slot.cancel(place.run);
                }
                // Whatever was to go over the old connection goes nowhere.
                Output::Open => {
                    self.errands
                        .retain(|errand| !matches!(errand, Errand::Send(_)));
                    self.errands.push(Errand::Open);
                }
                Output::Send(message) => self.errands.push(Errand::Send(message)),
                Output::Overrun {
                    key,
                    service,
                    running,
                    ..
                } => self.errands.push(Errand::Overrun {
                    key,
                    service,
                    running,
                }),
                Output::Exit(exit) => {
                    self.closed = true;
                    self.errands.push(Errand::Exit(exit));
                }
            }
        }
    }
}
