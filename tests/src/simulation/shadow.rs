//! The sessions as an onlooker sees them: only by the messages that go in and out.

use powerhose::Time;
use powerhose::master::{Config, Peer, WorkerState};
use powerhose::wire::{JobKey, Register};
use std::time::Duration;

use super::coverage::Seen;

/// An attempt that was sent and has not been answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shot {
    pub(super) key: JobKey,
    pub(super) ticket: u32,
    /// The job was suspected when it was sent.
    pub(super) suspected: bool,
}

/// A session that the master issued.
#[derive(Debug)]
pub(super) struct Shadow {
    pub(super) session: u64,
    pub(super) peer: Peer,
    /// The latest connection to the worker's own socket.
    pub(super) socket: Option<Peer>,
    pub(super) register: Register,
    pub(super) services: Vec<u8>,
    pub(super) in_flight: Vec<Shot>,
    /// The state before and after the latest event.
    pub(super) before: Seen,
    pub(super) state: Seen,
    pub(super) heard: Time,
    /// Time in which the master was stopped since then, less what it may fail to notice.
    pub(super) credit: Duration,
    /// Results of handlers that ran, and how long the latest one did.
    pub(super) measured: u32,
    pub(super) latest: Duration,
}

impl Shadow {
    pub(super) fn slots(&self) -> usize {
        usize::from(self.register.slots)
    }

    /// Whether it has a job that must have it alone.
    pub(super) fn has_suspect(&self) -> bool {
        self.in_flight.iter().any(|shot| shot.suspected)
    }

    /// Whether the worker has just come into a state in which little happens as a rule.
    pub(super) fn has_become_unusual(&self) -> bool {
        self.before != self.state
            && matches!(self.state, Some(WorkerState::Laggy | WorkerState::Draining))
    }

    /// Whether the worker may be sent one more job.
    pub(super) fn check_room(
        &self,
        suspected: bool,
        at_most_once: bool,
        slots_elsewhere: bool,
        config: &Config,
    ) -> Result<(), &'static str> {
        let must = |condition, why| if condition { Ok(()) } else { Err(why) };
        let takes_work = [self.before, self.state].contains(&Some(WorkerState::Active));
        must(takes_work, "that one takes no work")?;
        let slots = self.slots();
        let has = self.in_flight.len();
        must(
            !suspected || has == 0,
            "that one is not idle, and the job is suspected",
        )?;
        if has < slots {
            return Ok(());
        }
        let most = slots * (1 + usize::from(config.max_prefetch));
        must(has < most, "that one has enough")?;
        must(
            !at_most_once,
            "nothing may be in the way of a job that runs at most once",
        )?;
        must(!slots_elsewhere, "another one has a free slot")?;
        must(self.measured >= 8, "that one is not known to be fast")?;
        must(
            self.latest <= config.prefetch_window * 2,
            "that one is slow",
        )
    }
}

/// Every session that the master holds.
#[derive(Debug, Default)]
pub(super) struct Shadows(Vec<Shadow>);

impl Shadows {
    pub(super) fn by_session(&mut self, session: u64) -> Option<&mut Shadow> {
        self.0.iter_mut().find(|shadow| shadow.session == session)
    }

    /// The session whose worker is reached by this name, or over its own socket by the other one.
    pub(super) fn holder(&mut self, peer: Peer) -> Option<&mut Shadow> {
        let is_reached = |shadow: &Shadow| shadow.peer == peer || shadow.socket == Some(peer);
        (self.0.iter_mut()).find(|shadow| shadow.state.is_some() && is_reached(shadow))
    }

    pub(super) fn by_peer(&mut self, peer: Peer) -> Option<&mut Shadow> {
        (self.0.iter_mut()).find(|shadow| shadow.state.is_some() && shadow.peer == peer)
    }

    pub(super) fn add(&mut self, shadow: Shadow) {
        self.0.push(shadow);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Shadow> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Shadow> {
        self.0.iter_mut()
    }

    /// Forgets the sessions that have ended.
    pub(super) fn bury(&mut self) {
        self.0.retain(|shadow| shadow.state.is_some());
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
