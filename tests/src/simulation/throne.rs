//! The master's process: it drives the core as the contract of the core demands, and looks at what the core does.

use std::collections::VecDeque;
use std::time::Duration;

use powerhose::Time;
use powerhose::master::{Action, Event, Master, Peer};
use powerhose::wire::ToWorker;
use rand::RngExt;

use super::agenda::What;
use super::faults::Fault;
use super::network::MasterEnd;
use super::report;
use super::world::{Checked, World, note};

/// Where the master sits, or nobody does.
#[derive(Debug, Default)]
pub(super) struct Throne {
    pub(super) core: Option<Master>,
    /// Counts the masters there have been.
    pub(super) reign: u32,
    /// The process is stopped since then.
    pub(super) stopped: Option<Time>,
    /// Counts stops, so that the end of an earlier one does not end a later one.
    pub(super) stops: u32,
    /// What happened while it was stopped.
    pub(super) inbox: Vec<Event>,
    /// What the core wants done.
    actions: Vec<Action>,
    /// What comes of doing it.
    pub(super) aftermath: VecDeque<Event>,
    /// When it was last resumed or started: what is late at that time is excused.
    pub(super) resumed: Time,
    pub(super) wake_at: Option<Time>,
    pub(super) next_peer: u64,
    /// It was told to end and takes no jobs.
    pub(super) leaving: bool,
    /// It has drained, and another one will take its place.
    pub(super) drained: bool,
    /// The last master of the run has drained.
    pub(super) closed: bool,
    pub(super) ticks: u64,
    /// Ticks since anything else happened and time went on.
    ticks_in_place: u32,
    last_tick: Time,
}

/// A core that wants more ticks than this without time going on spins.
const TICKS_IN_PLACE: u32 = 4;

impl World {
    pub(super) fn start_master(&mut self) -> Checked {
        if std::mem::replace(&mut self.throne.drained, false) {
            self.end_master();
            let at = self.now + self.duration(Duration::ZERO, Duration::from_millis(300));
            self.agenda.enter(at, What::StartMaster);
            return Ok(());
        }
        if self.throne.core.is_some() {
            return Ok(());
        }
        let seed = self.random.random();
        self.throne.core = Some(Master::new(self.scenario.config.clone(), seed));
        self.throne.reign += 1;
        self.throne.leaving = false;
        self.throne.wake_at = None;
        self.throne.resumed = self.now;
        note!(self, "master {} starts", self.throne.reign);
        Ok(())
    }

    /// The process of the master is gone, with everything it had.
    pub(super) fn end_master(&mut self) {
        let Some(core) = self.throne.core.take() else {
            return;
        };
        note!(self, "master {} is gone", self.throne.reign);
        report::add(&mut self.counters, core.counters());
        self.throne.stopped = None;
        self.throne.stops += 1;
        self.throne.inbox.clear();
        self.throne.aftermath.clear();
        self.shadows.clear();
        self.ledger.lose_all();
        self.throne.drained = false;
        self.hang_up_everywhere();
    }

    /// Something happened to the master's process. If it is stopped it will learn of it later.
    pub(super) fn tell_master(&mut self, event: Event) -> Checked {
        if self.throne.core.is_none() {
            return Ok(());
        }
        if self.throne.stopped.is_some() {
            self.throne.inbox.push(event);
            return Ok(());
        }
        self.throne.ticks_in_place = 0;
        self.feed(event)
    }

    pub(super) fn stop_master(&mut self, duration: Duration) {
        if self.throne.core.is_none() || self.throne.stopped.is_some() {
            return;
        }
        note!(self, "master is stopped for {duration:?}");
        self.throne.stopped = Some(self.now);
        self.throne.stops += 1;
        let stop = self.throne.stops;
        self.agenda
            .enter(self.now + duration, What::ResumeMaster { stop });
    }

    pub(super) fn resume_master(&mut self, stop: u32) -> Checked {
        let Some(since) = self.throne.stopped.filter(|_| self.throne.stops == stop) else {
            return Ok(());
        };
        let slept = self.now.since(since);
        note!(self, "master goes on after {slept:?}");
        self.throne.stopped = None;
        self.throne.resumed = self.now;
        self.credit_shadows(slept);
        for event in std::mem::take(&mut self.throne.inbox) {
            self.feed(event)?;
        }
        self.throne.wake_at = None;
        self.tick_if_due()
    }

    pub(super) fn wake_master(&mut self) -> Checked {
        if self.throne.wake_at != Some(self.now) || self.throne.stopped.is_some() {
            return Ok(());
        }
        self.throne.wake_at = None;
        self.tick_if_due()
    }

    fn tick_if_due(&mut self) -> Checked {
        let Some(core) = &self.throne.core else {
            return Ok(());
        };
        let Some(due) = core.next_deadline().filter(|due| *due <= self.now) else {
            self.arm_master();
            return Ok(());
        };
        if self.now.since(due) > Duration::from_micros(100) && self.throne.resumed != self.now {
            self.tally.count(Fault::LateWake);
        }
        self.throne.ticks += 1;
        if std::mem::replace(&mut self.throne.last_tick, self.now) == self.now {
            self.throne.ticks_in_place += 1;
        } else {
            self.throne.ticks_in_place = 0;
        }
        if self.throne.ticks_in_place > TICKS_IN_PLACE {
            return Err("the master wants one tick after another".to_owned());
        }
        self.feed(Event::Tick)
    }

    /// Has the master woken when the core wants it.
    fn arm_master(&mut self) {
        let Some(core) = &self.throne.core else {
            return;
        };
        let Some(due) = core.next_deadline() else {
            return;
        };
        let due = due.max(self.now);
        if self.throne.wake_at.is_some_and(|at| at <= due) {
            return;
        }
        let at = due + self.duration(Duration::ZERO, self.scenario.late_wake);
        if self.throne.wake_at.is_none_or(|before| at < before) {
            self.throne.wake_at = Some(at);
            self.agenda.enter(at, What::WakeMaster);
        }
    }

    /// Hands an event to the core, and then what came of it.
    fn feed(&mut self, event: Event) -> Checked {
        self.throne.aftermath.push_back(event);
        let mut events = 0;
        while let Some(event) = self.throne.aftermath.pop_front() {
            self.step(event)?;
            events += 1;
            if events > 10_000 {
                return Err("one event leads to another without end".to_owned());
            }
        }
        self.arm_master();
        Ok(())
    }

    fn step(&mut self, event: Event) -> Checked {
        note!(self, "-> {event:?}");
        let glance = self.look_before(&event)?;
        let Some(core) = &mut self.throne.core else {
            return Ok(());
        };
        core.handle(event, self.now);
        core.check_invariants()?;
        let mut actions = std::mem::take(&mut self.throne.actions);
        actions.extend(std::iter::from_fn(|| core.poll_action()));
        self.steps += 1;
        for action in &actions {
            note!(self, "<- {action:?}");
        }
        self.look_after(&glance, &actions)?;
        for action in actions.drain(..) {
            self.perform(action)?;
        }
        self.throne.actions = actions;
        Ok(())
    }

    /// Performs an action as the driver must.
    fn perform(&mut self, action: Action) -> Checked {
        match action {
            Action::Send { peer, message } => self.post(peer, message),
            Action::Connect { socket, path, .. } => self.connect_to_worker(socket, &path),
            Action::Close { socket } => {
                let peer = Peer::Socket(socket);
                if let Some(number) = self.network.by_peer(peer, self.throne.reign) {
                    self.network.get(number).hang_up(&mut self.random);
                }
                Ok(())
            }
            // The onlooker has dealt with them.
            Action::Complete { .. } | Action::Drained => Ok(()),
        }
    }

    /// Writes to a connection.
    fn post(&mut self, peer: Peer, message: ToWorker) -> Checked {
        let Some(number) = self.network.by_peer(peer, self.throne.reign) else {
            return Err(format!(
                "the master writes to {peer:?}, which it never heard of"
            ));
        };
        match self.network.get(number).master_end {
            MasterEnd::Open => self.send_down(number, message),
            MasterEnd::Forsaken | MasterEnd::Gone => {}
            MasterEnd::Refusing { from } if self.now < from => self.tally.count(Fault::LateRefusal),
            MasterEnd::Refusing { .. } => {
                self.throne.aftermath.push_back(Event::Unreachable { peer });
            }
        }
        Ok(())
    }

    /// The master's system notices that a connection is gone.
    pub(super) fn notice_closed(&mut self, number: u32) -> Checked {
        let reign = self.throne.reign;
        let late = self.scenario.faults.contains(&Fault::LateRefusal);
        let delay = if late && self.random.random() {
            self.duration(Duration::ZERO, Duration::from_millis(15))
        } else {
            Duration::ZERO
        };
        let connection = self.network.get(number);
        if connection.reign != reign || connection.master_end != MasterEnd::Forsaken {
            return Ok(());
        }
        connection.master_end = MasterEnd::Refusing {
            from: self.now + delay,
        };
        let event = match connection.peer {
            Peer::Backend(_) => Event::Disconnection,
            peer @ Peer::Socket(_) => Event::Unreachable { peer },
        };
        self.tell_master(event)
    }
}
