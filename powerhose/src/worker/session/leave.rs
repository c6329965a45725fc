//! Leaving in order.

use super::{Inflow, Link, Output, Session, Up};
use crate::time::Time;
use crate::wire::limits::DRAIN_PATIENCE;
use crate::wire::{DisconnectReason, FromWorker};
use crate::worker::Exit;

/// Why the worker leaves, once it has finished.
pub(super) struct Leaving {
    exit: Exit,
    /// Whether what waits goes back to the master; else it is done first.
    hand_back: bool,
    /// Whether the master has to be told.
    announce: bool,
}

impl Leaving {
    fn by_itself(exit: Exit) -> Self {
        Self {
            exit,
            hand_back: true,
            announce: true,
        }
    }

    /// The application or a signal asked for it.
    pub(super) fn drained() -> Self {
        Self::by_itself(Exit::Drained)
    }

    pub(super) fn retired() -> Self {
        Self::by_itself(Exit::MaxAge)
    }

    pub(super) fn worked_enough() -> Self {
        Self::by_itself(Exit::MaxJobs)
    }

    /// The master asked for it. It sends no more, so what it sent before is better done here than moved.
    pub(super) fn dismissed() -> Self {
        Self {
            exit: Exit::Drained,
            hand_back: false,
            announce: false,
        }
    }
}

impl Session {
    /// Takes no more work. The first reason to leave is the one that [`Output::Exit`] gives.
    pub(super) fn leave(&mut self, leaving: Leaving, now: Time) {
        if leaving.announce {
            if self.leaving.is_none() && matches!(self.link, Link::Up(_)) {
                self.announce(now);
            }
        } else if let Link::Up(up) = &mut self.link {
            up.inflow = Inflow::Closed;
        }
        if leaving.hand_back {
            // Only a connection that is up has waiting jobs.
            for job in std::mem::take(&mut self.waiting) {
                self.hand_back(job.key);
            }
        }
        self.leaving.get_or_insert(leaving);
        self.settle(now);
    }

    /// Tells the master, over a connection that is up, and waits for its answer: a job may have crossed the message.
    pub(super) fn announce(&mut self, now: Time) {
        self.send(FromWorker::Drain { session: self.id });
        if let Link::Up(up) = &mut self.link {
            let until = now + DRAIN_PATIENCE;
            up.inflow = Inflow::Closing { until };
        }
    }

    fn is_working(&self) -> bool {
        !self.slots.all_free() || !self.waiting.is_empty()
    }

    /// When a worker that has nothing left to do no longer waits for the master's answer to DRAIN.
    pub(super) fn parts_at(&self) -> Option<Time> {
        match &self.link {
            Link::Up(Up {
                inflow: Inflow::Closing { until },
                ..
            }) if !self.is_working() => Some(*until),
            _ => None,
        }
    }

    /// Goes as far towards the exit as the work that is left allows.
    pub(super) fn settle(&mut self, now: Time) {
        let Some(leaving) = &self.leaving else {
            return;
        };
        let working = self.is_working();
        let owed = !self.kept.is_empty() || self.slots.busy().any(|job| job.wanted);
        match &self.link {
            Link::Up(up) if working || up.may_get_jobs(now) => {}
            Link::Backoff { .. } | Link::Registering { .. } if owed => {}
            Link::Backoff { .. } | Link::Registering { .. } | Link::Parted if working => {
                self.link = Link::Parted;
            }
            Link::Up(_) => {
                let exit = leaving.exit.clone();
                self.disconnect(DisconnectReason::Drained);
                self.exit(exit);
            }
            Link::Backoff { .. } | Link::Registering { .. } | Link::Parted => {
                self.exit(leaving.exit.clone());
            }
            Link::Exited => {}
        }
    }

    /// Leaves at once.
    pub(super) fn stop(&mut self) {
        if matches!(self.link, Link::Up(_)) {
            self.disconnect(DisconnectReason::Shutdown);
        }
        self.exit(Exit::Stopped);
    }

    fn disconnect(&mut self, reason: DisconnectReason) {
        self.send(FromWorker::Disconnect {
            session: self.id,
            reason,
        });
    }

    /// The end, with whatever is still running told so.
    pub(super) fn exit(&mut self, exit: Exit) {
        for (slot, job) in self.slots.busy_mut() {
            if !std::mem::replace(&mut job.cancelled, true) {
                self.outputs.push_back(Output::Cancel { slot });
            }
        }
        self.link = Link::Exited;
        self.watch_at = None;
        self.outputs.push_back(Output::Exit(exit));
    }
}
