//! The thread that owns a client's sockets.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::sync::{oneshot, watch};

use super::core::{Core, CoreConfig, Input, Output};
use crate::driver::clock::Clock;
use crate::driver::delivery::Delivery;
use crate::driver::endpoint::Endpoint;
use crate::driver::frames::{Parcel, Sending};
use crate::driver::inbox::{Ask, Batch, Inbox, Limits, Outcome, Submission};
use crate::driver::master::ShutdownReport;
use crate::driver::poll::{Poll, wait};
use crate::driver::socket::{Broken, Dealer, Options};
use crate::driver::wake::{self, Sleeper};
use crate::error::{ExecuteError, Started};
use crate::master::Ticket;
use crate::security::CurveClient;
use crate::time::Time;
use crate::wire::{FromClient, ToClient};

/// The most jobs taken over, and messages received from a master, in one turn.
const PER_TURN: usize = 256;

/// How soon a message that found no room is tried again.
const RETRY: Duration = Duration::from_millis(1);

/// How long a socket that is closed in order may go on delivering.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What may be asked of the thread.
pub(super) enum Request {
    /// Take no more jobs, end when the last one has its outcome, or at this time.
    Close(Time),
}

impl Ask for Request {
    fn is_abandoned(&self) -> bool {
        false
    }
}

pub(super) type ClientInbox = Inbox<Request>;

/// What a thread needs to begin.
pub(super) struct Parts {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) context: zmq::Context,
    pub(super) options: Options,
    pub(super) curve: Option<CurveClient>,
    pub(super) config: CoreConfig,
}

pub(super) struct Handle {
    pub(super) inbox: Arc<ClientInbox>,
    pub(super) clock: Clock,
    pub(super) masters: watch::Receiver<Masters>,
    pub(super) ended: watch::Receiver<Option<ShutdownReport>>,
    pub(super) thread: JoinHandle<()>,
}

/// How the client stands with its masters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Masters {
    /// The one that jobs are submitted to, by its place in the order.
    pub(super) serving: Option<usize>,
    /// How often there was one and then none.
    pub(super) losses: u64,
}

/// Starts the thread.
///
/// # Errors
/// When the system refuses a thread or a descriptor.
pub(super) fn start(parts: Parts) -> io::Result<Handle> {
    let (waker, sleeper) = wake::pair()?;
    let limits = Limits {
        jobs: parts.config.max_queue_jobs,
        bytes: parts.config.max_queue_bytes,
    };
    let inbox = Arc::new(ClientInbox::new(limits, waker));
    let clock = Clock::new();
    let (end, ended) = watch::channel(None);
    let (tell, masters) = watch::channel(Masters::default());
    let driver = Driver {
        lines: parts.endpoints.iter().map(|_| Line::default()).collect(),
        core: Core::new(parts.config, rand::random()),
        endpoints: parts.endpoints,
        context: parts.context,
        options: parts.options,
        curve: parts.curve,
        clock,
        masters: tell,
        sleeper,
        inbox: Closing(Arc::clone(&inbox)),
        batch: Batch::default(),
        jobs: VecDeque::new(),
        callers: FxHashMap::default(),
        outcomes: Vec::new(),
        finished: 0,
        aborted: 0,
        close_at: None,
        parcel: Parcel::default(),
        frames: Vec::new(),
    };
    let thread = thread::Builder::new()
        .name("powerhose-client".to_owned())
        .spawn(move || {
            end.send_replace(Some(driver.run()));
        })?;
    Ok(Handle {
        inbox,
        clock,
        masters,
        ended,
        thread,
    })
}

/// The connection to one master, if there is one.
#[derive(Default)]
struct Line {
    socket: Option<Dealer>,
    /// What there was no room for. The terms of the session bound what is in it.
    outbox: VecDeque<FromClient>,
    /// The connection is no good; what came over it before may still be there to receive.
    is_broken: bool,
}

struct Driver {
    lines: Vec<Line>,
    core: Core,
    endpoints: Vec<Endpoint>,
    context: zmq::Context,
    options: Options,
    curve: Option<CurveClient>,
    clock: Clock,
    masters: watch::Sender<Masters>,
    sleeper: Sleeper,
    inbox: Closing,
    batch: Batch<Request>,
    jobs: VecDeque<Submission>,
    callers: FxHashMap<Ticket, oneshot::Sender<Outcome>>,
    /// What the core has decided since the last delivery.
    outcomes: Vec<Delivery>,
    /// Jobs that had their outcome since the end was asked for, and those that it came too early for.
    finished: usize,
    aborted: usize,
    close_at: Option<Time>,
    parcel: Parcel,
    frames: Vec<Bytes>,
}

/// Closes the inbox when the thread ends, also by a panic: whoever waits for an answer then learns that there will be none.
struct Closing(Arc<ClientInbox>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
        self.0.deliveries.help();
    }
}

impl Driver {
    fn run(mut self) -> ShutdownReport {
        while !self.turn() {}
        self.masters.send_modify(|masters| masters.serving = None);
        for submission in self.inbox.0.close().jobs.into_iter().chain(self.jobs) {
            let started = Started::No;
            let _ = (submission.reply).send(Err(ExecuteError::ShuttingDown { started }));
        }
        ShutdownReport::new(self.finished, self.aborted)
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
        self.tell_masters();
        self.rest();
        false
    }

    fn tell_masters(&self) {
        let serving = self.core.serving();
        self.masters.send_if_modified(|masters| {
            let is_news = masters.serving != serving;
            masters.losses += u64::from(is_news && serving.is_none());
            masters.serving = serving;
            is_news
        });
    }

    fn take_handed_over(&mut self, now: Time) {
        if self.jobs.is_empty() {
            self.inbox.0.swap(&mut self.batch);
            self.jobs.extend(self.batch.jobs.drain(..));
        }
        let count = self.jobs.len().min(PER_TURN);
        for Submission { ticket, job, reply } in self.jobs.drain(..count) {
            self.callers.insert(ticket, reply);
            self.core.handle(Input::Submit { ticket, job }, now);
        }
        // The rest of the batch may be about the jobs before it.
        if self.jobs.is_empty() {
            for ticket in mem::take(&mut self.batch.cancelled) {
                if self.callers.remove(&ticket).is_some() {
                    self.core.handle(Input::Cancel { ticket }, now);
                }
            }
            for Request::Close(at) in mem::take(&mut self.batch.requests) {
                self.close_at = Some(self.close_at.map_or(at, |before| before.min(at)));
                self.core.handle(Input::Close { at }, now);
            }
        }
    }

    fn receive(&mut self, now: Time) {
        let mut is_drained = true;
        for (link, line) in self.lines.iter_mut().enumerate() {
            let Some(dealer) = &mut line.socket else {
                continue;
            };
            for _ in 0..PER_TURN {
                self.frames.clear();
                if !dealer.receive(&mut self.frames) {
                    break;
                }
                match ToClient::decode(&mut self.frames) {
                    Ok(message) => self.core.handle(Input::Message { link, message }, now),
                    Err(error) => {
                        tracing::debug!(%error, "the master sent something that is no message");
                    }
                }
            }
            let Broken {
                has_ended,
                was_refused,
            } = dealer.news();
            line.is_broken |= has_ended || was_refused;
            is_drained &= dealer.is_dry();
            if line.is_broken && dealer.is_dry() {
                line.is_broken = false;
                let is_local = self.endpoints[link].directory().is_some();
                self.core.handle(Input::Broken { link, is_local }, now);
            }
        }
        if is_drained && self.core.next_deadline().is_some_and(|at| at <= now) {
            self.core.handle(Input::Tick, now);
        }
    }

    /// Does what the core decided. Returns whether the client has ended.
    fn perform(&mut self, now: Time) -> bool {
        let mut is_over = false;
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Connect { link } => self.connect(link, now),
                Output::Close { link, farewell } => self.close(link, farewell),
                Output::Send { link, message } => self.send(link, message),
                Output::Complete { ticket, result } => {
                    match self.close_at {
                        Some(_) if matches!(result, Err(ExecuteError::ShuttingDown { .. })) => {
                            self.aborted += 1;
                        }
                        Some(_) => self.finished += 1,
                        None => {}
                    }
                    if let Some(caller) = self.callers.remove(&ticket) {
                        self.outcomes.push((caller, result));
                    }
                }
                Output::Closed => is_over = true,
            }
        }
        self.inbox.0.deliveries.deliver(&mut self.outcomes, now);
        is_over
    }

    fn connect(&mut self, link: usize, now: Time) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        self.close(link, false);
        let opened = Dealer::connect(
            &self.context,
            &self.endpoints[link],
            &self.options,
            self.curve.as_ref(),
        )
        .and_then(|mut dealer| {
            let name = format!("client-{}", NEXT.fetch_add(1, Ordering::Relaxed));
            dealer.monitor(&self.context, &name)?;
            Ok(dealer)
        });
        match opened {
            Ok(socket) => self.lines[link].socket = Some(socket),
            Err(error) => {
                tracing::error!(%error, "cannot open a connection");
                // This process has no descriptor to spare, which says nothing about the master.
                let is_local = false;
                self.core.handle(Input::Broken { link, is_local }, now);
            }
        }
    }

    fn close(&mut self, link: usize, farewell: bool) {
        let line = &mut self.lines[link];
        if let Some(dealer) = &mut line.socket
            && farewell
        {
            dealer.set_linger(LAST_WORDS);
        }
        *line = Line::default();
    }

    fn send(&mut self, link: usize, message: FromClient) {
        let line = &mut self.lines[link];
        if line.outbox.is_empty() {
            let Some(dealer) = &mut line.socket else {
                return;
            };
            let again = message.clone();
            self.parcel.for_master_of_client(message);
            if dealer.send(&mut self.parcel) == Sending::WouldBlock {
                line.outbox.push_back(again);
            }
        } else {
            line.outbox.push_back(message);
        }
    }

    fn flush(&mut self, now: Time) {
        for line in &mut self.lines {
            let Some(dealer) = &mut line.socket else {
                continue;
            };
            while let Some(message) = line.outbox.front() {
                self.parcel.for_master_of_client(message.clone());
                if dealer.send(&mut self.parcel) == Sending::WouldBlock {
                    break;
                }
                line.outbox.pop_front();
            }
            dealer.flush(now);
        }
    }

    /// Sleeps until there is something to do, if there is nothing.
    fn rest(&mut self) {
        let is_dry =
            (self.lines.iter().filter_map(|line| line.socket.as_ref())).all(Dealer::is_idle);
        let is_stuck = self.lines.iter().any(|line| !line.outbox.is_empty());
        if !self.jobs.is_empty() || (!is_dry && !is_stuck) {
            return;
        }
        self.sleeper.prepare();
        let dealers = || self.lines.iter().filter_map(|line| line.socket.as_ref());
        let due = dealers().filter_map(Dealer::next_deadline).min();
        let deadlines = [
            self.core.next_deadline(),
            due,
            self.inbox.0.deliveries.due(),
        ];
        let due = deadlines.into_iter().flatten().min();
        let mut timeout = due.map(|at| at - self.clock.now());
        if is_stuck {
            timeout = Some(timeout.map_or(RETRY, |timeout| timeout.min(RETRY)));
        }
        if !self.inbox.0.is_empty() {
            timeout = Some(Duration::ZERO);
        }
        let mut poll = Poll::default();
        let woken = poll.add(self.sleeper.fd());
        let watched: Vec<_> = dealers()
            .map(|dealer| (dealer, dealer.watch(&mut poll)))
            .collect();
        let woken = match wait(&mut poll, timeout) {
            Ok(()) => {
                for (dealer, places) in watched {
                    dealer.note(&poll, places);
                }
                poll.is_ready(woken)
            }
            Err(error) => {
                tracing::error!(%error, "cannot wait for messages");
                thread::sleep(RETRY);
                watched
                    .into_iter()
                    .for_each(|(dealer, _)| dealer.look_again());
                true
            }
        };
        self.sleeper.finish(woken);
    }
}
