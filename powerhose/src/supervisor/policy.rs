//! The decisions about a group of processes: who is started, stopped, killed, waited for, given up.

use std::collections::VecDeque;
use std::collections::btree_map::{BTreeMap, Entry};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;

use self::place::{Place, State};
use super::backoff::Backoff;
use super::exit::{AfterExit, ExitCause, ProcessExit};
use super::snapshot::{ProcessSnapshot, StopReport};
use crate::time::Time;

mod place;
#[cfg(test)]
mod tests;

/// How long a stop waits for a process to vanish after `SIGKILL`. Only one stuck inside the kernel
/// takes longer.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// What the decisions depend on besides the events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The waits between a death and the next start.
    pub(crate) backoff: Backoff,
    /// A process that ends sooner than this died at start.
    pub(crate) stable_after: Duration,
    /// Restarts in a row of processes that die at start; after them the place is given up.
    pub(crate) start_retries: Option<u32>,
    /// From `SIGTERM` to `SIGKILL` when a single process is stopped.
    pub(crate) grace: Duration,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    /// The process asked for by [`Action::Spawn`] runs.
    Started { place: usize, pid: u32 },
    /// The process asked for by [`Action::Spawn`] could not be started.
    NotStarted { place: usize, cause: ExitCause },
    /// The process at this place ended and has been reaped.
    Exited { place: usize, cause: ExitCause },
    /// The group shall have this many processes.
    SetCount(usize),
    /// The process at this place shall be replaced, or a place that was given up tried again.
    Restart { place: usize },
    /// Everything shall end, killed after the grace. A second one can only shorten the first one's
    /// grace.
    Stop { grace: Duration },
    /// Time went by.
    Tick,
}

/// What the driver has to do, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start a process and answer with [`Event::Started`] or [`Event::NotStarted`].
    Spawn { place: usize },
    /// Ask the process at this place to end.
    Terminate { place: usize },
    /// End the process at this place.
    Kill { place: usize },
    /// Tell those who listen.
    Report(ProcessExit),
}

/// The sans-IO core of [`Workers`](super::Workers).
///
/// Each [`handle`](Self::handle) is followed by [`poll_action`](Self::poll_action) until it returns
/// nothing. The next [`Event::Tick`] is due at [`next_deadline`](Self::next_deadline); an early or
/// repeated one does no harm, and time may stand still but not go back. Events about places or
/// processes that no longer exist are ignored. After [`Event::Stop`] nothing is spawned, and the
/// driver goes on until [`is_finished`](Self::is_finished).
pub(crate) struct Policy {
    rules: Rules,
    count: usize,
    places: BTreeMap<usize, Place>,
    stop: Option<Stop>,
    report: StopReport,
    actions: VecDeque<Action>,
    rng: SmallRng,
}

struct Stop {
    kill_at: Time,
    give_up_at: Time,
}

impl Policy {
    /// An empty group. The seed is for the jitter of the backoff.
    pub(crate) fn new(rules: Rules, seed: u64) -> Self {
        Self {
            rules,
            count: 0,
            places: BTreeMap::new(),
            stop: None,
            report: StopReport::default(),
            actions: VecDeque::new(),
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// Takes note of an event; the actions that follow from it queue up.
    pub(crate) fn handle(&mut self, event: Event, now: Time) {
        match event {
            Event::Started { place, pid } => self.started(place, pid, now),
            Event::NotStarted { place, cause } => self.not_started(place, cause, now),
            Event::Exited { place, cause } => self.exited(place, cause, now),
            Event::SetCount(count) => self.set_count(count, now),
            Event::Restart { place } => self.restart(place, now),
            Event::Stop { grace } => self.stop(grace, now),
            Event::Tick => self.tick(now),
        }
    }

    /// The next thing to do.
    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When the next [`Event::Tick`] is due.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let places = self.places.values().filter_map(Place::deadline);
        places
            .chain(self.stop.as_ref().map(|stop| stop.give_up_at))
            .min()
    }

    /// Whether the group was told to stop and either is gone or will not go.
    pub(crate) fn is_finished(&self, now: Time) -> bool {
        self.stop
            .as_ref()
            .is_some_and(|stop| self.places.is_empty() || now >= stop.give_up_at)
    }

    /// How the stop went so far.
    pub(crate) fn report(&self) -> StopReport {
        let left = self
            .places
            .values()
            .filter_map(|place| place.state.pid())
            .collect();
        StopReport {
            left,
            ..self.report.clone()
        }
    }

    /// Every place, in order.
    pub(crate) fn snapshot(&self) -> Vec<ProcessSnapshot> {
        self.places
            .iter()
            .map(|(&index, place)| place.snapshot(index))
            .collect()
    }

    fn set_count(&mut self, count: usize, now: Time) {
        if self.stop.is_some() {
            return;
        }
        self.count = count;
        for index in 0..count {
            if let Entry::Vacant(vacant) = self.places.entry(index) {
                vacant.insert(Place::new()).spawn(index, &mut self.actions);
            }
        }
        let kill_at = now + self.rules.grace;
        self.retire_from(count, kill_at);
    }

    fn stop(&mut self, grace: Duration, now: Time) {
        let mut kill_at = now + grace;
        if let Some(earlier) = &self.stop {
            kill_at = kill_at.min(earlier.kill_at);
        }
        self.stop = Some(Stop {
            kill_at,
            give_up_at: kill_at + KILL_WAIT,
        });
        self.count = 0;
        self.retire_from(0, kill_at);
    }

    /// Ends what is at the places from `first` on. A start that is under way is dealt with when its
    /// outcome is known.
    fn retire_from(&mut self, first: usize, kill_at: Time) {
        let actions = &mut self.actions;
        self.places.retain(|&index, place| {
            if index >= first {
                place.terminate(index, kill_at, actions);
            }
            index < first || !matches!(place.state, State::BackingOff { .. } | State::GaveUp)
        });
    }

    fn restart(&mut self, index: usize, now: Time) {
        if index >= self.count {
            return;
        }
        let Some(place) = self.places.get_mut(&index) else {
            return;
        };
        match place.state {
            State::Running { .. } => {
                place.terminate(index, now + self.rules.grace, &mut self.actions);
            }
            State::BackingOff { .. } | State::GaveUp => {
                place.failures = 0;
                place.spawn(index, &mut self.actions);
            }
            State::Starting | State::Stopping { .. } => {}
        }
    }

    fn started(&mut self, index: usize, pid: u32, now: Time) {
        let kill_at = self
            .stop
            .as_ref()
            .map_or(now + self.rules.grace, |stop| stop.kill_at);
        let Some(place) = self.places.get_mut(&index) else {
            return;
        };
        if !matches!(place.state, State::Starting) {
            return;
        }
        place.state = State::Running { pid, since: now };
        place.starts += 1;
        if index >= self.count {
            place.terminate(index, kill_at, &mut self.actions);
        }
    }

    fn not_started(&mut self, index: usize, cause: ExitCause, now: Time) {
        let place = self.places.get(&index);
        if place.is_some_and(|place| matches!(place.state, State::Starting)) {
            let exit = ProcessExit {
                place: index,
                pid: None,
                cause,
                ran_for: Duration::ZERO,
                requested: false,
                next: AfterExit::Removed,
            };
            self.ended(exit, now);
        }
    }

    fn exited(&mut self, index: usize, cause: ExitCause, now: Time) {
        let Some(place) = self.places.get(&index) else {
            return;
        };
        let (pid, since, requested) = match place.state {
            State::Running { pid, since } => (pid, since, false),
            State::Stopping { pid, since, .. } => (pid, since, true),
            State::Starting | State::BackingOff { .. } | State::GaveUp => return,
        };
        if self.stop.is_some() {
            match place.state {
                State::Stopping { kill_at: None, .. } => self.report.killed += 1,
                _ => self.report.stopped += 1,
            }
        }
        let exit = ProcessExit {
            place: index,
            pid: Some(pid),
            cause,
            ran_for: now - since,
            requested,
            next: AfterExit::Removed,
        };
        self.ended(exit, now);
    }

    fn ended(&mut self, mut exit: ProcessExit, now: Time) {
        exit.next = self.move_on(&exit, now);
        self.actions.push_back(Action::Report(exit));
    }

    /// Brings the place into the state that follows an end, and says what will become of it.
    fn move_on(&mut self, exit: &ProcessExit, now: Time) -> AfterExit {
        let rules = &self.rules;
        if exit.place >= self.count {
            self.places.remove(&exit.place);
            return AfterExit::Removed;
        }
        let Some(place) = self.places.get_mut(&exit.place) else {
            return AfterExit::Removed;
        };
        place.last_exit = Some(exit.cause);
        if exit.requested || exit.ran_for >= rules.stable_after {
            place.failures = 0;
        } else {
            place.failures = place.failures.saturating_add(1);
        }
        if rules
            .start_retries
            .is_some_and(|retries| place.failures > retries)
        {
            place.state = State::GaveUp;
            return AfterExit::GaveUp;
        }
        let after = if exit.requested {
            Duration::ZERO
        } else {
            rules.backoff.delay(place.failures, &mut self.rng)
        };
        place.state = State::BackingOff { until: now + after };
        AfterExit::Restart { after }
    }

    fn tick(&mut self, now: Time) {
        for (&index, place) in &mut self.places {
            place.tick(index, now, &mut self.actions);
        }
    }
}
