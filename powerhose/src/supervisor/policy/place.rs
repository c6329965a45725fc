//! One place of a group: what is there, and what its history says about the next start.

use std::collections::VecDeque;

use super::Action;
use crate::supervisor::exit::ExitCause;
use crate::supervisor::snapshot::{ProcessSnapshot, ProcessState};
use crate::time::Time;

pub(super) struct Place {
    pub(super) state: State,
    /// Processes in a row that died at start.
    pub(super) failures: u32,
    pub(super) starts: u64,
    pub(super) last_exit: Option<ExitCause>,
}

#[derive(Clone, Copy)]
pub(super) enum State {
    Starting,
    Running {
        pid: u32,
        since: Time,
    },
    Stopping {
        pid: u32,
        since: Time,
        /// When it is killed; none once it was.
        kill_at: Option<Time>,
    },
    BackingOff {
        until: Time,
    },
    GaveUp,
}

impl Place {
    /// To be followed by [`spawn`](Self::spawn).
    pub(super) fn new() -> Self {
        Self {
            state: State::Starting,
            failures: 0,
            starts: 0,
            last_exit: None,
        }
    }

    /// Asks for a process here.
    pub(super) fn spawn(&mut self, index: usize, actions: &mut VecDeque<Action>) {
        self.state = State::Starting;
        actions.push_back(Action::Spawn { place: index });
    }

    /// Asks the process here to end, or hastens the end that was asked for already.
    pub(super) fn terminate(
        &mut self,
        index: usize,
        kill_at: Time,
        actions: &mut VecDeque<Action>,
    ) {
        match &mut self.state {
            &mut State::Running { pid, since } => {
                self.state = State::Stopping {
                    pid,
                    since,
                    kill_at: Some(kill_at),
                };
                actions.push_back(Action::Terminate { place: index });
            }
            State::Stopping {
                kill_at: Some(at), ..
            } => *at = kill_at.min(*at),
            State::Stopping { kill_at: None, .. }
            | State::Starting
            | State::BackingOff { .. }
            | State::GaveUp => {}
        }
    }

    /// Does what the time asks for.
    pub(super) fn tick(&mut self, index: usize, now: Time, actions: &mut VecDeque<Action>) {
        match &mut self.state {
            State::BackingOff { until } if *until <= now => self.spawn(index, actions),
            State::Stopping { kill_at, .. } if kill_at.is_some_and(|at| at <= now) => {
                *kill_at = None;
                actions.push_back(Action::Kill { place: index });
            }
            _ => {}
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.state {
            State::BackingOff { until } => Some(until),
            State::Stopping { kill_at, .. } => kill_at,
            State::Starting | State::Running { .. } | State::GaveUp => None,
        }
    }

    pub(super) fn snapshot(&self, index: usize) -> ProcessSnapshot {
        ProcessSnapshot {
            place: index,
            pid: self.state.pid(),
            state: self.state.public(),
            restarts: self.starts.saturating_sub(1),
            last_exit: self.last_exit,
        }
    }
}

impl State {
    pub(super) fn pid(self) -> Option<u32> {
        match self {
            Self::Running { pid, .. } | Self::Stopping { pid, .. } => Some(pid),
            Self::Starting | Self::BackingOff { .. } | Self::GaveUp => None,
        }
    }

    fn public(self) -> ProcessState {
        match self {
            Self::Starting => ProcessState::Starting,
            Self::Running { .. } => ProcessState::Running,
            Self::Stopping { .. } => ProcessState::Stopping,
            Self::BackingOff { .. } => ProcessState::BackingOff,
            Self::GaveUp => ProcessState::GaveUp,
        }
    }
}
