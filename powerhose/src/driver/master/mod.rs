//! The thread that owns a master's sockets.
//!
//! It turns: takes what callers handed over, receives what workers sent, tells the core of both, does what the core decides, and
//! sleeps when all of them are exhausted. Every step of a turn is bounded, so that none starves the others.

mod desk;
mod front;
mod handle;
pub(crate) mod inbox;
pub(crate) mod listen;
mod outbox;
mod own;
mod refusals;
mod reports;
mod sockets;
mod waiters;

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::sync::{oneshot, watch};

use self::desk::Desk;
use self::front::Front;
pub use self::handle::ShutdownReport;
pub(crate) use self::handle::{Ended, Handle};
use self::inbox::{MasterInbox, Request};
use self::listen::Listening;
use self::reports::Reports;
use self::sockets::Sockets;
use self::waiters::{Waiter, Waiters};
use crate::driver::clock::Clock;
use crate::driver::delivery::Delivery;
use crate::driver::inbox::{Batch, Inbox, Limits, Outcome, Submission};
use crate::driver::wake::{self, Sleeper};
use crate::error::{ExecuteError, Started};
use crate::master::frontend::{FrontendConfig, FrontendEvent};
use crate::master::{Action, Config, Event, Master, Stats, Ticket};
use crate::time::Time;
use crate::wire::ToWorker;

/// The most jobs taken from the inbox in one turn. At its end what was decided goes out: few enough that workers and callers are
/// at work on them while the master is at the next ones, enough to share what a turn costs.
const JOBS_PER_TURN: usize = 16;

/// The most messages received from a socket in one turn, for the same reason.
const MESSAGES_PER_TURN: usize = 16;

/// Turns without sleep after which the descriptors are looked at all the same: the monitor and workers' own sockets have no other
/// way to be noticed while the backend keeps the thread busy.
const TURNS_PER_LOOK: u32 = 16;

/// Turns that leave messages unreceived after which failed sends and passed deadlines are told to the core nevertheless. They come
/// after what was received earlier, since a result that has arrived is worth more; but not never, when messages come
/// faster than they are handled. A connection that is gone left at most 1,000 messages, and connections take turns.
const TURNS_UNTIL_OVERDUE: u32 = 1024;

/// Starts the thread. `frontend` holds the settings of the frontend that a standalone master listens at.
///
/// # Errors
/// When the system refuses a thread or a descriptor.
pub(crate) fn start(
    mut listening: Listening,
    config: &Config,
    frontend: Option<FrontendConfig>,
) -> io::Result<Handle> {
    let (waker, sleeper) = wake::pair()?;
    let limits = Limits {
        jobs: config.max_queue_jobs,
        bytes: config.max_queue_bytes,
    };
    let inbox = Arc::new(Inbox::new(limits, waker));
    let clock = Clock::new();
    let (end, ended) = watch::channel(None);
    let reports = Reports::new(&listening, clock.now());
    let front = (listening.frontend.take().zip(frontend))
        .map(|(sockets, config)| Front::new(sockets, config));
    let desk = listening.operators.take().map(Desk::new);
    let driver = Driver {
        front,
        desk,
        reports,
        core: Master::new(config.clone(), rand::random()),
        sockets: Sockets::new(listening, config),
        clock,
        sleeper,
        inbox: Closing(Arc::clone(&inbox)),
        batch: Batch::default(),
        jobs: VecDeque::new(),
        callers: FxHashMap::default(),
        outcomes: Vec::new(),
        waiters: Waiters::default(),
        shutdown: None,
        undrained_turns: 0,
        busy_turns: 0,
    };
    let thread = thread::Builder::new()
        .name("powerhose-master".to_owned())
        .spawn(move || {
            end.send_replace(Some(driver.run()));
        })?;
    Ok(Handle {
        inbox,
        clock,
        ended,
        thread,
    })
}

struct Driver {
    /// First, so that it is closed before the paths are freed.
    front: Option<Front>,
    desk: Option<Desk>,
    reports: Reports,
    core: Master,
    sockets: Sockets,
    clock: Clock,
    sleeper: Sleeper,
    inbox: Closing,
    /// What was taken from the inbox last; its jobs move on to `jobs`.
    batch: Batch<Request>,
    jobs: VecDeque<Submission>,
    callers: FxHashMap<Ticket, oneshot::Sender<Outcome>>,
    /// What the core has decided since the last delivery.
    outcomes: Vec<Delivery>,
    waiters: Waiters,
    shutdown: Option<Shutdown>,
    undrained_turns: u32,
    busy_turns: u32,
}

struct Shutdown {
    stop_at: Time,
    is_over_time: bool,
    /// Counts every job that is under way as finished until it is aborted.
    report: ShutdownReport,
}

/// Closes the inbox when the thread ends, also by a panic: whoever waits for an answer then learns that there will be none.
struct Closing(Arc<MasterInbox>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
        self.0.deliveries.help();
    }
}

impl Driver {
    fn run(mut self) -> Ended {
        while !self.turn() {}
        for submission in self.inbox.0.close().jobs.into_iter().chain(self.jobs) {
            let started = Started::No;
            let _ = (submission.reply).send(Err(ExecuteError::ShuttingDown { started }));
        }
        let report = self.shutdown.map(|shutdown| shutdown.report);
        let stats = stats(&self.core, &self.sockets);
        if let Some(mut front) = self.front {
            front.deliver_last(&self.clock);
        }
        drop(self.desk);
        // Closes the sockets, waits until the farewells have left, and frees the paths, all before anyone is told of the end.
        drop(self.sockets);
        Ended {
            report: report.unwrap_or_default(),
            stats,
        }
    }

    /// One round. Returns whether it was the last.
    fn turn(&mut self) -> bool {
        let now = self.clock.now();
        self.take_handed_over(now);
        if self.perform(now) {
            return true;
        }
        let now = self.clock.now();
        self.receive(now);
        if self.perform(now) {
            return true;
        }
        self.flush(now);
        self.inbox.0.deliveries.look_after(now);
        self.rest();
        false
    }

    fn flush(&mut self, now: Time) {
        self.sockets.flush(now);
        if let Some(front) = &mut self.front {
            front.flush(now);
        }
        if let Some(desk) = &mut self.desk {
            desk.flush(now);
        }
    }

    /// Tells the core what callers handed over.
    fn take_handed_over(&mut self, now: Time) {
        if self.jobs.is_empty() {
            self.inbox.0.swap(&mut self.batch);
            self.jobs.extend(self.batch.jobs.drain(..));
        }
        let count = self.jobs.len().min(JOBS_PER_TURN);
        for Submission { ticket, job, reply } in self.jobs.drain(..count) {
            self.callers.insert(ticket, reply);
            self.core.handle(Event::Submit { ticket, job }, now);
        }
        // The rest of the batch may be about the jobs before it.
        if self.jobs.is_empty() {
            for ticket in mem::take(&mut self.batch.cancelled) {
                if self.callers.remove(&ticket).is_some() {
                    self.core.handle(Event::Cancel { ticket }, now);
                }
            }
            for request in mem::take(&mut self.batch.requests) {
                self.answer(request, now);
            }
        }
    }

    fn answer(&mut self, request: Request, now: Time) {
        match request {
            Request::Workers(reply) => {
                let _ = reply.send(self.core.workers(now));
            }
            Request::Stats(reply) => {
                let _ = reply.send(Box::new(stats(&self.core, &self.sockets)));
            }
            Request::Await {
                count,
                deadline,
                reply,
            } => {
                self.waiters.add(Waiter {
                    count,
                    deadline,
                    reply,
                });
                self.tell_waiters(now);
            }
            Request::Exited(pid) => self.core.handle(Event::Exited { pid }, now),
            Request::Limits(limits) => {
                (self.core).set_queue_limits(limits.max_queue_jobs, limits.max_queue_bytes);
                if let Some(front) = &mut self.front {
                    (front.core).set_limits(limits.max_client_jobs, limits.max_client_bytes);
                }
            }
            Request::Shutdown(stop_at) => match &mut self.shutdown {
                Some(shutdown) => shutdown.stop_at = shutdown.stop_at.min(stop_at),
                None => {
                    self.shutdown = Some(Shutdown {
                        stop_at,
                        is_over_time: false,
                        report: ShutdownReport {
                            finished: self.under_way(),
                            aborted: 0,
                        },
                    });
                    if let Some(front) = &mut self.front {
                        front.core.handle(FrontendEvent::Drain, now);
                    }
                    self.core.handle(Event::Drain, now);
                }
            },
        }
    }

    /// Tells the core what workers sent and what became of what was sent to them, then the time.
    fn receive(&mut self, now: Time) {
        let core = &mut self.core;
        let mut is_drained =
            (self.sockets).receive(MESSAGES_PER_TURN, now, |event| core.handle(event, now));
        if let Some(front) = &mut self.front {
            is_drained &= front.receive(MESSAGES_PER_TURN, now);
        }
        self.answer_operators(now);
        self.look_for_news(now);
        if is_drained {
            self.undrained_turns = 0;
        } else {
            self.undrained_turns += 1;
        }
        if !is_drained && self.undrained_turns < TURNS_UNTIL_OVERDUE {
            return;
        }
        for failure in self.sockets.failures(now) {
            self.core.handle(failure, now);
        }
        if let Some(front) = &mut self.front {
            front.settle(now);
        }
        if self.core.next_deadline().is_some_and(|at| at <= now) {
            self.core.handle(Event::Tick, now);
        }
        if self.waiters.next_deadline().is_some_and(|at| at <= now) {
            self.tell_waiters(now);
        }
        if let Some(shutdown) = &mut self.shutdown
            && shutdown.stop_at <= now
            && !shutdown.is_over_time
        {
            shutdown.is_over_time = true;
            let left =
                self.callers.len() + self.front.as_ref().map_or(0, |front| front.core.jobs());
            shutdown.report.aborted = left;
            shutdown.report.finished = shutdown.report.finished.saturating_sub(left);
            self.core.handle(Event::Stop, now);
        }
    }

    /// Tells the cores of connections that closed.
    fn look_for_news(&mut self, now: Time) {
        if self.sockets.disconnected(now) {
            self.core.handle(Event::Disconnection, now);
        }
        if let Some(desk) = &mut self.desk {
            self.sockets.note(desk.news(), now);
        }
        if let Some(front) = &mut self.front
            && self.sockets.note(front.news(), now)
        {
            front.core.handle(FrontendEvent::Disconnection, now);
        }
    }

    /// Does what the cores decided. Returns whether the master has ended.
    fn perform(&mut self, now: Time) -> bool {
        loop {
            if self.perform_core(now) {
                return true;
            }
            if !self.perform_front(now) {
                return false;
            }
        }
    }

    /// Does what the frontend's core decided. Returns whether it asked something of the master's core.
    fn perform_front(&mut self, now: Time) -> bool {
        let mut any = false;
        while let Some(request) = self
            .front
            .as_mut()
            .and_then(|front| front.next_request(now))
        {
            any = true;
            match request {
                front::Request::Submit(ticket, job) => {
                    self.core.handle(Event::Submit { ticket, job }, now);
                }
                front::Request::Cancel(ticket) => self.core.handle(Event::Cancel { ticket }, now),
                front::Request::Report(connection) => self.report_to(connection, now),
            }
        }
        any
    }

    /// Does what the master's core decided. Returns whether the master has ended.
    fn perform_core(&mut self, now: Time) -> bool {
        let mut is_over = false;
        while let Some(action) = self.core.poll_action() {
            match action {
                Action::Send { peer, message } => {
                    let registered = matches!(message, ToWorker::Registered { .. });
                    self.sockets.send(peer, message, now);
                    if registered {
                        self.tell_waiters(now);
                    }
                }
                Action::Complete { ticket, result } if ticket.is_of_frontend() => {
                    if let Some(front) = &mut self.front {
                        let completed = FrontendEvent::Completed { ticket, result };
                        front.core.handle(completed, now);
                    }
                }
                Action::Complete { ticket, result } => {
                    if let Some(caller) = self.callers.remove(&ticket) {
                        self.outcomes.push((caller, result));
                    }
                }
                Action::Connect { socket, path, peer } => self.sockets.connect(socket, &path, peer),
                Action::Close { socket } => self.sockets.close(socket),
                Action::Drained => {
                    if let Some(front) = &mut self.front {
                        front.core.handle(FrontendEvent::Finish, now);
                        // What it asks of the core now is to forget jobs that it has not.
                        while front.next_request(now).is_some() {}
                    }
                    is_over = true;
                }
            }
        }
        self.inbox.0.deliveries.deliver(&mut self.outcomes, now);
        is_over
    }

    /// Answers those who wait for workers, if it is time.
    fn tell_waiters(&mut self, now: Time) {
        if !self.waiters.is_empty() {
            self.waiters.tell(self.core.active_workers(), now);
        }
    }

    /// Sleeps until there is something to do, if there is nothing.
    fn rest(&mut self) {
        let is_idle = self.front.as_ref().is_none_or(Front::is_idle)
            && self.desk.as_ref().is_none_or(Desk::is_idle);
        if self.jobs.is_empty() && self.sockets.is_idle() && is_idle {
            self.busy_turns = 0;
            self.sleeper.prepare();
            let timeout = if self.inbox.0.is_empty() {
                let now = self.clock.now();
                self.next_deadline().map(|at| at - now)
            } else {
                Some(Duration::ZERO)
            };
            let is_woken = self.wait(timeout);
            self.sleeper.finish(is_woken);
        } else {
            self.busy_turns += 1;
            if self.busy_turns < TURNS_PER_LOOK {
                return;
            }
            self.busy_turns = 0;
            self.wait(Some(Duration::ZERO));
        }
    }

    /// Waits for the sockets. Returns whether the thread was woken by a caller.
    fn wait(&self, timeout: Option<Duration>) -> bool {
        let sides = [
            self.front.as_ref().map(Front::router),
            self.desk.as_ref().map(Desk::router),
        ];
        self.sockets.wait(sides, &self.sleeper, timeout)
    }

    /// Jobs that have had no outcome.
    fn under_way(&self) -> usize {
        self.callers.len() + self.front.as_ref().map_or(0, |front| front.core.jobs())
    }

    fn next_deadline(&self) -> Option<Time> {
        let stop = (self.shutdown.as_ref())
            .filter(|shutdown| !shutdown.is_over_time)
            .map(|shutdown| shutdown.stop_at);
        let front = self.front.as_ref().and_then(Front::next_deadline);
        let desk = self.desk.as_ref().and_then(Desk::next_deadline);
        let deadlines = [
            front,
            desk,
            self.core.next_deadline(),
            self.sockets.next_deadline(),
            self.waiters.next_deadline(),
            self.inbox.0.deliveries.due(),
            stop,
        ];
        deadlines.into_iter().flatten().min()
    }
}

/// The name of this host, as far as the system tells it.
pub(crate) fn host() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    if name.len() > crate::wire::limits::MAX_LABEL {
        return String::new();
    }
    name
}

/// What the core counts, and what only the driver sees.
fn stats(core: &Master, sockets: &Sockets) -> Stats {
    let mut stats = core.stats();
    stats.counters.foreign = sockets.foreign();
    stats.counters.refused = sockets.refused();
    stats
}
