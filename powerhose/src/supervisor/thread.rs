//! The thread that owns the processes: waits, feeds the policy, does what it decides.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::mem;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};

use super::exit::{AfterExit, ExitCause, ProcessExit};
use super::policy::{Action, Event, Policy};
use super::snapshot::{ProcessSnapshot, StopReport};
use crate::driver::child::{self, Child, Launcher};
use crate::driver::clock::Clock;
use crate::driver::wake::{Sleeper, Waker};

/// What the handle and the thread have in common.
pub(super) struct Shared {
    inbox: Mutex<Inbox>,
    places: Mutex<Vec<ProcessSnapshot>>,
    waker: Waker,
    pub(super) exits: broadcast::Sender<ProcessExit>,
}

/// What was asked of the thread since it last looked. Later wishes replace or join earlier ones, so
/// it cannot grow.
#[derive(Default)]
struct Inbox {
    count: Option<usize>,
    restart: BTreeSet<usize>,
    stop: Option<Duration>,
}

impl Inbox {
    fn is_empty(&self) -> bool {
        self.count.is_none() && self.restart.is_empty() && self.stop.is_none()
    }
}

impl Shared {
    pub(super) fn new(waker: Waker, exits: broadcast::Sender<ProcessExit>) -> Self {
        Self {
            inbox: Mutex::default(),
            places: Mutex::default(),
            waker,
            exits,
        }
    }

    pub(super) fn snapshot(&self) -> Vec<ProcessSnapshot> {
        lock(&self.places).clone()
    }

    pub(super) fn set_count(&self, count: usize) {
        lock(&self.inbox).count = Some(count);
        self.waker.wake();
    }

    pub(super) fn restart(&self, place: usize) {
        lock(&self.inbox).restart.insert(place);
        self.waker.wake();
    }

    pub(super) fn stop(&self, grace: Duration) {
        lock(&self.inbox).stop = Some(grace);
        self.waker.wake();
    }
}

/// Nothing that happens under these locks can panic half-way, so what a poisoned one guards is
/// whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Supervisor {
    pub(super) program: OsString,
    pub(super) launcher: Launcher,
    pub(super) policy: Policy,
    pub(super) clock: Clock,
    pub(super) sleeper: Sleeper,
    pub(super) shared: Arc<Shared>,
    pub(super) children: BTreeMap<usize, Child>,
    /// Never sent to: it is dropped, and thereby tells, when the thread ends, for whatever reason.
    pub(super) _ended: oneshot::Sender<Infallible>,
}

impl Supervisor {
    /// Starts `count` processes, says through `started` whether all of them could be, and keeps the
    /// group until it is told to stop. If one could not, the others are killed first.
    pub(super) fn run(mut self, count: usize, started: &SyncSender<io::Result<()>>) -> StopReport {
        self.policy.handle(Event::SetCount(count), self.clock.now());
        match self.act() {
            Some(error) => {
                self.policy.handle(
                    Event::Stop {
                        grace: Duration::ZERO,
                    },
                    self.clock.now(),
                );
                self.supervise();
                let _ = started.send(Err(error));
            }
            None => {
                let _ = started.send(Ok(()));
                self.supervise();
            }
        }
        self.policy.report()
    }

    fn supervise(&mut self) {
        loop {
            self.act();
            let now = self.clock.now();
            if self.policy.is_finished(now) {
                return;
            }
            self.sleeper.prepare();
            let timeout = if lock(&self.shared.inbox).is_empty() {
                self.policy.next_deadline().map(|deadline| deadline - now)
            } else {
                Some(Duration::ZERO)
            };
            let woken = child::wait(&mut self.children, self.sleeper.fd(), timeout);
            self.sleeper.finish(woken.raised);
            let now = self.clock.now();
            // Wishes first: whoever asks for a stop and then kills a process has asked for its end.
            let inbox = mem::take(&mut *lock(&self.shared.inbox));
            if let Some(count) = inbox.count {
                self.policy.handle(Event::SetCount(count), now);
            }
            for place in inbox.restart {
                self.policy.handle(Event::Restart { place }, now);
            }
            if let Some(grace) = inbox.stop {
                self.policy.handle(Event::Stop { grace }, now);
            }
            for (place, cause) in woken.ended {
                self.policy.handle(Event::Exited { place, cause }, now);
            }
            self.policy.handle(Event::Tick, now);
        }
    }

    /// Does what the policy decided. Returns the first failure to start a process.
    fn act(&mut self) -> Option<io::Error> {
        let mut failure = None;
        while let Some(action) = self.policy.poll_action() {
            match action {
                Action::Spawn { place } => {
                    if let Err(error) = self.spawn(place) {
                        failure.get_or_insert(error);
                    }
                }
                Action::Terminate { place } => self.with(place, Child::terminate),
                Action::Kill { place } => self.with(place, Child::kill),
                Action::Report(exit) => self.tell(exit),
            }
        }
        self.publish();
        failure
    }

    fn publish(&self) {
        *lock(&self.shared.places) = self.policy.snapshot();
    }

    fn spawn(&mut self, place: usize) -> io::Result<()> {
        let launched = self.launcher.launch();
        let now = self.clock.now();
        let child = launched.inspect_err(|error| {
            let program = self.program.display();
            tracing::warn!(%program, place, %error, "cannot start a process");
            let cause = ExitCause::from(error);
            self.policy.handle(Event::NotStarted { place, cause }, now);
        })?;
        self.policy.handle(
            Event::Started {
                place,
                pid: child.id(),
            },
            now,
        );
        self.children.insert(place, child);
        Ok(())
    }

    fn with(&self, place: usize, signal: impl Fn(&Child)) {
        if let Some(child) = self.children.get(&place) {
            signal(child);
        }
    }

    fn tell(&self, exit: ProcessExit) {
        let ProcessExit {
            place,
            pid,
            cause,
            ran_for,
            requested,
            next,
        } = exit;
        let program = self.program.display();
        if next == AfterExit::GaveUp {
            tracing::error!(%program, place, pid, %cause, "gave up a process that keeps dying at start");
        } else if requested {
            tracing::debug!(%program, place, pid, %cause, "a process ended as it was told");
        } else {
            tracing::warn!(%program, place, pid, %cause, ?ran_for, ?next, "a process ended");
        }
        // Whoever hears of the end may look at once.
        self.publish();
        // An error means that nobody listens.
        let _ = self.shared.exits.send(exit);
    }
}
