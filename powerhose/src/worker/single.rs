//! A worker with one slot: one thread both moves the messages and runs the handler.
//!
//! A job then costs no change of threads: it is received, done and answered in one go, as in a bare loop around a socket. What
//! such a loop cannot do, ping and hear of cancellations while its handler runs, is left to the thread that called
//! [`run`](super::Worker::run). It stands by, and stands in at the sockets for as long as a handler takes longer than
//! [`PATIENCE`].

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use super::exit::Exit;
use super::job::Job;
use super::pump::{Pump, Turn};
use super::shared::Shared;
use super::slot::{self, Handler};
use crate::driver::clock::Clock;
use crate::time::Time;

/// How long a handler may keep messages waiting. Long against a change of threads, which then no longer matters; short against
/// pings and against what people notice.
const PATIENCE: Duration = Duration::from_millis(5);

/// How long jobs that were received already may be worked on before the socket is asked for more. Asking costs as much as a small job;
/// what waits there meanwhile are cancellations, and jobs that would only wait here.
const RECEIVE_EVERY: Duration = Duration::from_micros(100);

/// How long results may be held back while short jobs that were received already follow each other. Sent one by one, each would cost
/// a system call and wake the master, which is more than such a job; sent all at the end, the master and the callers would have nothing
/// to do until then. A job that turns out to be long holds back what was done before it for [`PATIENCE`] at most, when the
/// other thread stands in.
const SEND_EVERY: Duration = Duration::from_micros(8);

/// The only slot.
const SLOT: u16 = 0;

/// What the two threads share.
pub(super) struct Single {
    /// Held by the thread that moves messages. `None` when the worker is done and the sockets are closed.
    pump: Mutex<Option<Pump>>,
    shared: Arc<Shared>,
    handler: Arc<Handler>,
    clock: Clock,
    watch: Watch,
    outcome: Mutex<Option<io::Result<Exit>>>,
}

impl Single {
    /// To be called on the thread that will [`stand_by`](Self::stand_by).
    pub(super) fn new(
        pump: Pump,
        shared: Arc<Shared>,
        handler: Arc<Handler>,
        clock: Clock,
    ) -> Self {
        Self {
            pump: Mutex::new(Some(pump)),
            shared,
            handler,
            clock,
            watch: Watch::new(),
            outcome: Mutex::new(None),
        }
    }

    /// What the slot's thread does.
    pub(super) fn work(&self) {
        let _failed = Failed(self);
        let mut pump = self.pump.lock().unwrap_or_else(PoisonError::into_inner);
        let mut received = Time::ZERO;
        // When the last job ended, while those that were received with it are worked on.
        let mut ended = None;
        while let Some(moving) = &mut *pump {
            let turn = match ended {
                Some(now) => moving.settle(now),
                None => moving.turn(),
            };
            let due = match turn {
                Ok(Turn::Busy) => None,
                Ok(Turn::Idle(due)) => Some(due),
                Ok(Turn::Done(exit)) => return self.end(&mut pump, Ok(exit)),
                Err(error) => return self.end(&mut pump, Err(error)),
            };
            if let Some(job) = self.shared.take(SLOT) {
                let started = moving.now();
                if ended.is_none() {
                    received = started;
                }
                drop(pump);
                let now;
                (pump, now) = self.execute(job, started);
                ended = (now.since(received) < RECEIVE_EVERY).then_some(now);
            } else if ended.take().is_some() {
                // What was received is done.
            } else if let Some(due) = due
                && let Err(error) = moving.sleep(due, || true)
            {
                return self.end(&mut pump, Err(error));
            }
        }
    }

    /// Runs a job, those that follow it at once, and those that follow it while the other thread stands in. Returns with the pump, and
    /// when the last one ended.
    fn execute(&self, mut job: Job, mut started: Time) -> (MutexGuard<'_, Option<Pump>>, Time) {
        let sent = started;
        loop {
            self.watch.begin(started);
            let finished = slot::execute(job, &*self.handler, started, self.clock);
            let now = finished.at;
            self.shared.finish(SLOT, finished);
            if now.since(sent) < SEND_EVERY
                && let Some(next) = self.shared.take(SLOT)
            {
                (job, started) = (next, now);
                continue;
            }
            if let Ok(pump) = self.pump.try_lock() {
                self.watch.end();
                return (pump, now);
            }
            self.shared.wake();
            let Some(next) = self.shared.take(SLOT) else {
                self.watch.end();
                self.shared.wake();
                let pump = self.pump.lock().unwrap_or_else(PoisonError::into_inner);
                return (pump, now);
            };
            (job, started) = (next, now);
        }
    }

    /// What the thread that called `run` does.
    pub(super) fn stand_by(&self) -> io::Result<Exit> {
        let mut runs = 0;
        loop {
            if let Some(outcome) = self.outcome().take() {
                return outcome;
            }
            match self.watch.look(&mut runs, self.clock.now()) {
                Look::Overdue => match self.pump.try_lock() {
                    Ok(mut pump) => self.stand_in(&mut pump),
                    Err(_) => thread::park_timeout(PATIENCE),
                },
                Look::Again(after) => thread::park_timeout(after),
                Look::Quiet => self.watch.sleep(),
            }
        }
    }

    /// Moves messages for as long as the handler runs.
    fn stand_in(&self, pump: &mut Option<Pump>) {
        while let Some(moving) = pump
            && self.watch.is_busy()
        {
            let turn = moving.turn();
            let slept = match turn {
                Ok(Turn::Busy) => Ok(()),
                Ok(Turn::Idle(due)) => moving.sleep(due, || self.watch.is_busy()),
                Ok(Turn::Done(exit)) => return self.end(pump, Ok(exit)),
                Err(error) => Err(error),
            };
            if let Err(error) = slept {
                return self.end(pump, Err(error));
            }
        }
    }

    /// Closes the sockets, once what was sent last is out, and lets `run` return.
    fn end(&self, pump: &mut Option<Pump>, outcome: io::Result<Exit>) {
        if let Some(pump) = pump.take() {
            pump.close();
        }
        *self.outcome() = Some(outcome);
        self.watch.keeper.unpark();
    }

    fn outcome(&self) -> MutexGuard<'_, Option<io::Result<Exit>>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets `run` return should the slot's thread ever panic outside of the handler.
struct Failed<'a>(&'a Single);

impl Drop for Failed<'_> {
    fn drop(&mut self) {
        let failure = || Err(io::Error::other("the worker's thread failed"));
        self.0.outcome().get_or_insert_with(failure);
        self.0.watch.keeper.unpark();
    }
}

/// Since when the handler runs, for the thread that stands by.
///
/// That thread looks every [`PATIENCE`] while jobs come and go, and sleeps when none came between two looks. The first job after
/// that wakes it: each side publishes what it does and then looks at the other, with a fence in between, so that one sees the other.
struct Watch {
    /// In nanoseconds, plus one; 0 when no handler runs.
    since: AtomicU64,
    /// The jobs so far.
    runs: AtomicU64,
    asleep: AtomicBool,
    keeper: Thread,
}

/// What a look found.
enum Look {
    /// The handler has been running for too long.
    Overdue,
    /// Jobs come and go; look again after this time.
    Again(Duration),
    /// Nothing ran since the last look.
    Quiet,
}

impl Watch {
    fn new() -> Self {
        Self {
            since: AtomicU64::new(0),
            runs: AtomicU64::new(0),
            asleep: AtomicBool::new(false),
            keeper: thread::current(),
        }
    }

    fn begin(&self, now: Time) {
        self.since.store(now.as_nanos() + 1, Ordering::Relaxed);
        // Nobody else writes it.
        let runs = self.runs.load(Ordering::Relaxed);
        self.runs.store(runs + 1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            self.keeper.unpark();
        }
    }

    fn end(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    fn is_busy(&self) -> bool {
        self.since.load(Ordering::Relaxed) != 0
    }

    fn look(&self, seen: &mut u64, now: Time) -> Look {
        let runs = self.runs.load(Ordering::Relaxed);
        let before = std::mem::replace(seen, runs);
        match self.since.load(Ordering::Relaxed) {
            0 if runs == before => Look::Quiet,
            0 => Look::Again(PATIENCE),
            since => {
                let busy = now.since(Time::from_nanos(since - 1));
                match PATIENCE.checked_sub(busy) {
                    None | Some(Duration::ZERO) => Look::Overdue,
                    Some(left) => Look::Again(left),
                }
            }
        }
    }

    /// Sleeps until the next job begins, or the worker ends.
    fn sleep(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !self.is_busy() {
            thread::park();
        }
        self.asleep.store(false, Ordering::Relaxed);
    }
}
