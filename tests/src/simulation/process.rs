//! A worker's process: it drives the session as its contract demands, and runs handlers.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use powerhose::Time;
use powerhose::wire::{FromWorker, JobKey, Register, ResultCode, ToWorker};
use powerhose::worker::Exit;
use powerhose::worker::session::{Assignment, Input, Output, Session, SessionConfig, State};
use rand::RngExt;

use super::agenda::What;
use super::faults::Fault;
use super::ledger::{End, result_of, ticket_in};
use super::network::Received;
use super::scenario::SERVICES;
use super::world::{Checked, World, note};

/// A running handler.
#[derive(Debug)]
pub(super) struct Handler {
    pub(super) execution: u32,
    pub(super) slot: u16,
    pub(super) key: JobKey,
    pub(super) body: powerhose::Bytes,
    pub(super) started: Time,
    pub(super) ends: Time,
    pub(super) end: End,
    /// It gives up when it is told to.
    pub(super) heeds: bool,
}

/// A worker's place among the processes: it is started again whenever it ends.
#[derive(Default)]
pub(super) struct Process {
    pub(super) session: Option<Session>,
    /// Counts the processes there have been in this place.
    pub(super) life: u32,
    pub(super) stopped: Option<Time>,
    pub(super) stops: u32,
    /// What arrived while it was stopped, with the connection over which it came.
    pub(super) inbox: Vec<(u32, Received<ToWorker>)>,
    /// The number of its DEALER socket; the one before is closed.
    pub(super) socket: u32,
    /// The connection of that socket, if there is one.
    pub(super) connection: Option<u32>,
    /// What that socket sends as soon as there is a connection.
    pub(super) outbox: VecDeque<FromWorker>,
    /// Where the jobs that came over its own socket came from, and where the latest of their results went: a master that heard
    /// from a process of before in the same place connects there too.
    pub(super) routes: HashMap<JobKey, u32>,
    pub(super) last_route: Option<u32>,
    /// What came there while there was no session.
    pub(super) own_inbox: VecDeque<(u32, Received<ToWorker>)>,
    pub(super) handlers: Vec<Handler>,
    /// Jobs received in the session that it holds, and not answered.
    pub(super) held: usize,
    pub(super) wake_at: Option<Time>,
    /// Handlers take so many times as long, until then.
    pub(super) slowness: u32,
    pub(super) slow_until: Time,
    /// Something was done to its messages after which only a new process is sure to be well.
    pub(super) tainted: bool,
    ticks_in_place: u32,
    last_tick: Time,
}

const TICKS_IN_PLACE: u32 = 4;

/// The longest time that a slow worker takes longer than it would.
const SLOWEST: Duration = Duration::from_secs(3);

impl Process {
    pub(super) fn is_alive(&self) -> bool {
        self.session.is_some()
    }

    /// The session that it holds.
    pub(super) fn held_session(&self) -> u64 {
        self.session.as_ref().map_or(0, Session::id)
    }

    pub(super) fn state(&self) -> State {
        self.session.as_ref().map_or(State::Exited, Session::state)
    }
}

impl World {
    pub(super) fn process(&mut self, place: u8) -> &mut Process {
        &mut self.processes[usize::from(place)]
    }

    pub(super) fn register_of(&self, place: u8) -> Register {
        let plan = &self.scenario.workers[usize::from(place)];
        let names = plan.services.iter();
        Register {
            services: names
                .map(|index| SERVICES[usize::from(*index)].to_owned())
                .collect(),
            slots: plan.slots,
            pid: u32::from(place) + 1,
            host: String::new(),
            implementation: String::new(),
            socket: plan.own_socket.then(|| format!("/run/worker-{place}")),
            running: Vec::new(),
        }
    }

    pub(super) fn start_worker(&mut self, place: u8) -> Checked {
        if self.process(place).is_alive() {
            return Ok(());
        }
        let plan = &self.scenario.workers[usize::from(place)];
        let retires = self.mended.is_none();
        let config = SessionConfig {
            reconnect_limit: plan.reconnect_limit,
            max_jobs: plan.max_jobs.filter(|_| retires),
            max_age: plan.max_age.filter(|_| retires),
            max_age_delta: Duration::from_millis(100),
            ..SessionConfig::new(self.register_of(place))
        };
        let session = Session::new(config, self.random.random(), self.now);
        let process = &mut self.processes[usize::from(place)];
        *process = Process {
            session: Some(session),
            life: process.life + 1,
            stops: process.stops + 1,
            socket: process.socket,
            slowness: 1,
            ..Process::default()
        };
        note!(self, "worker {place} starts");
        self.settle_outputs(place)
    }

    /// The process is gone. Its connections close with it.
    pub(super) fn kill_worker(&mut self, place: u8) {
        if !self.process(place).is_alive() {
            return;
        }
        note!(self, "worker {place} is gone");
        let process = self.process(place);
        process.session = None;
        process.handlers.clear();
        process.inbox.clear();
        process.outbox.clear();
        process.own_inbox.clear();
        process.stopped = None;
        process.stops += 1;
        process.connection = None;
        process.routes.clear();
        process.last_route = None;
        process.wake_at = None;
        self.forsake_all(place);
    }

    /// Starts the process again, after a while.
    pub(super) fn restart_later(&mut self, place: u8) {
        let most = Duration::from_millis(if self.mended.is_some() { 100 } else { 800 });
        let delay = self.duration(Duration::from_millis(5), most);
        self.agenda
            .enter(self.now + delay, What::StartWorker { process: place });
    }

    pub(super) fn stop_worker(&mut self, place: u8, duration: Duration) {
        let now = self.now;
        let process = self.process(place);
        if !process.is_alive() || process.stopped.is_some() {
            return;
        }
        process.stopped = Some(now);
        process.stops += 1;
        let stop = process.stops;
        note!(self, "worker {place} is stopped for {duration:?}");
        let resume = What::ResumeWorker {
            process: place,
            stop,
        };
        self.agenda.enter(now + duration, resume);
        if let Some(connection) = self.process(place).connection {
            self.expect_heartbeats(connection);
        }
    }

    pub(super) fn resume_worker(&mut self, place: u8, stop: u32) -> Checked {
        let now = self.now;
        let process = self.process(place);
        let Some(since) = process.stopped.filter(|_| process.stops == stop) else {
            return Ok(());
        };
        process.stopped = None;
        process.wake_at = None;
        let slept = now.since(since);
        let mut ends = Vec::new();
        for handler in &mut process.handlers {
            handler.ends = handler.ends + slept;
            ends.push((handler.ends, handler.execution));
        }
        note!(self, "worker {place} goes on after {slept:?}");
        for (at, execution) in ends {
            let done = What::HandlerDone {
                process: place,
                execution,
            };
            self.agenda.enter(at, done);
        }
        for (connection, received) in std::mem::take(&mut self.process(place).inbox) {
            self.receive(place, connection, received)?;
        }
        self.tick_worker_if_due(place)
    }

    pub(super) fn wake_worker(&mut self, place: u8) -> Checked {
        let now = self.now;
        let process = self.process(place);
        if process.wake_at != Some(now) || process.stopped.is_some() {
            return Ok(());
        }
        process.wake_at = None;
        self.tick_worker_if_due(place)
    }

    fn tick_worker_if_due(&mut self, place: u8) -> Checked {
        let now = self.now;
        let process = self.process(place);
        let due = process.session.as_ref().and_then(Session::next_deadline);
        if due.is_none_or(|due| due > now) {
            self.arm_worker(place);
            return Ok(());
        }
        if std::mem::replace(&mut process.last_tick, now) == now {
            process.ticks_in_place += 1;
        } else {
            process.ticks_in_place = 0;
        }
        if process.ticks_in_place > TICKS_IN_PLACE {
            return Err(format!("worker {place} wants one tick after another"));
        }
        self.drive(place, Input::Tick)
    }

    fn arm_worker(&mut self, place: u8) {
        let now = self.now;
        let process = self.process(place);
        let due = process.session.as_ref().and_then(Session::next_deadline);
        let Some(due) = due.map(|due| due.max(now)) else {
            return;
        };
        if process.wake_at.is_none_or(|at| due < at) {
            process.wake_at = Some(due);
            self.agenda.enter(due, What::WakeWorker { process: place });
        }
    }

    /// Hands an input to the session, and does what it wants done.
    pub(super) fn drive(&mut self, place: u8, input: Input) -> Checked {
        let now = self.now;
        note!(self, "worker {place} <- {input:?}");
        let tick = matches!(input, Input::Tick);
        let process = &mut self.processes[usize::from(place)];
        let Some(session) = &mut process.session else {
            return Ok(());
        };
        if !tick {
            process.ticks_in_place = 0;
        }
        let before = session.state();
        let counted = *session.counters();
        let held = session.id();
        let row = super::rows::of_input(held, &process.handlers, before, &input);
        let job = matches!(input, Input::Message(ToWorker::Job { .. }));
        session.handle(input, now);
        let after = session.state();
        let counters = session.counters();
        if counters.overflowed > 0 {
            return Err(format!("worker {place} was sent more than it can hold"));
        }
        process.held = process
            .held
            .saturating_sub(usize::try_from(counters.forgotten - counted.forgotten).unwrap_or(0));
        let dropped = |counters: &powerhose::worker::session::Counters| {
            counters.duplicates + counters.foreign + counters.unexpected
        };
        if job && dropped(counters) == dropped(&counted) {
            process.held += 1;
        }
        if session.id() != held {
            process.held = 0;
        }
        let plan = &self.scenario.workers[usize::from(place)];
        let most = usize::from(plan.slots) * (1 + usize::from(self.scenario.config.max_prefetch));
        if process.held > most && !plan.own_socket && !process.tainted {
            return Err(format!(
                "worker {place} holds {} jobs, {most} at most",
                process.held
            ));
        }
        if before != after && matches!(after, State::Backoff | State::Draining) {
            self.haunt_worker(place);
        }
        let outputs = self.settle_outputs(place);
        self.cover_worker(row, before, after, tick)?;
        outputs
    }

    /// Does everything that the session wants done.
    fn settle_outputs(&mut self, place: u8) -> Checked {
        loop {
            let Some(session) = &mut self.process(place).session else {
                return Ok(());
            };
            let Some(output) = session.poll_output() else {
                self.arm_worker(place);
                return Ok(());
            };
            note!(self, "worker {place} -> {output:?}");
            match output {
                Output::Open => self.open(place),
                Output::Send(message) => self.send_up(place, message),
                Output::Start { slot, job } => self.start_handler(place, slot, job)?,
                Output::Cancel { slot } => self.cancel_handler(place, slot)?,
                Output::Overrun { .. } => {}
                Output::Exit(exit) => self.leave(place, &exit),
            }
        }
    }

    fn start_handler(&mut self, place: u8, slot: u16, job: Assignment) -> Checked {
        let now = self.now;
        if job.deadline <= now {
            return Err(format!(
                "worker {place} starts {:?} after its deadline",
                job.key
            ));
        }
        let plan = &self.scenario.workers[usize::from(place)];
        let taken = self.processes[usize::from(place)].handlers.iter();
        if slot >= plan.slots || taken.clone().any(|handler| handler.slot == slot) {
            return Err(format!(
                "worker {place} starts {:?} in slot {slot}",
                job.key
            ));
        }
        let ticket = ticket_in(&job.body).ok_or("a handler was given no ticket")?;
        self.ledger.execute(ticket, job.key.attempt)?;
        let record = self.ledger.get(ticket);
        if plan.services.get(usize::from(job.service)) != Some(&record.service) {
            return Err(format!(
                "worker {place} was given job {ticket} for another service"
            ));
        }
        let work = record.work;
        let process = &mut self.processes[usize::from(place)];
        let slowness = if process.slow_until > now {
            process.slowness
        } else {
            1
        };
        self.executions += 1;
        let ends = now + (work.takes * slowness).min(work.takes + SLOWEST);
        let execution = self.executions;
        process.handlers.push(Handler {
            execution,
            slot,
            key: job.key,
            body: job.body,
            started: now,
            ends,
            end: work.end,
            heeds: work.heeds_cancellation,
        });
        let done = What::HandlerDone {
            process: place,
            execution,
        };
        self.agenda.enter(ends, done);
        Ok(())
    }

    fn cancel_handler(&mut self, place: u8, slot: u16) -> Checked {
        let soon = self.now + self.duration(Duration::ZERO, Duration::from_millis(2));
        let process = &mut self.processes[usize::from(place)];
        let Some(handler) = (process.handlers.iter_mut()).find(|handler| handler.slot == slot)
        else {
            return Err(format!(
                "worker {place} cancels what slot {slot} does not do"
            ));
        };
        if let Some((_, job)) = self.ledger.of(&handler.body) {
            job.cancellations += 1;
        }
        if handler.heeds && handler.ends > soon {
            handler.ends = soon;
            handler.end = End::Answer(ResultCode::Cancelled);
            let done = What::HandlerDone {
                process: place,
                execution: handler.execution,
            };
            self.agenda.enter(soon, done);
        }
        Ok(())
    }

    pub(super) fn handler_done(&mut self, place: u8, execution: u32) -> Checked {
        let now = self.now;
        let process = &mut self.processes[usize::from(place)];
        let done = (process.handlers.iter())
            .position(|handler| handler.execution == execution && handler.ends <= now);
        let Some(index) = done.filter(|_| process.stopped.is_none()) else {
            return Ok(());
        };
        let handler = process.handlers.swap_remove(index);
        let End::Answer(code) = handler.end else {
            self.tally.count(Fault::Poison);
            self.kill_worker(place);
            self.restart_later(place);
            return self.tell_of_exit(place);
        };
        let body = match code {
            ResultCode::Ok => {
                if let Some((_, job)) = self.ledger.of(&handler.body) {
                    job.results += 1;
                }
                result_of(&handler.body)
            }
            ResultCode::TooLarge => vec![0; self.scenario.config.max_body + 1].into(),
            _ => powerhose::Bytes::new(),
        };
        let code = match code {
            // The session finds out.
            ResultCode::TooLarge => ResultCode::Ok,
            code => code,
        };
        let input = Input::Finished {
            slot: handler.slot,
            code,
            elapsed: now.since(handler.started),
            body,
        };
        self.drive(place, input)
    }

    /// The process ends by itself.
    fn leave(&mut self, place: u8, exit: &Exit) {
        note!(self, "worker {place} leaves: {exit:?}");
        self.kill_worker(place);
        self.restart_later(place);
    }
}
