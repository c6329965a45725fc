//! Leaving in order.

use super::{Link, Output, Session};
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
    pub(super) fn leave(&mut self, leaving: Leaving) {
        let first = self.leaving.is_none();
        if first && leaving.announce && matches!(self.link, Link::Up(_)) {
            self.send(FromWorker::Drain { session: self.id });
        }
        if leaving.hand_back {
            // Only a connection that is up has waiting jobs.
            for job in std::mem::take(&mut self.waiting) {
                self.hand_back(job.key);
            }
        }
        self.leaving.get_or_insert(leaving);
        self.settle();
    }

    /// Goes as far towards the exit as the work that is left allows.
    pub(super) fn settle(&mut self) {
        let Some(leaving) = &self.leaving else {
            return;
        };
        let working = !self.slots.all_free() || !self.waiting.is_empty();
        let owed = !self.kept.is_empty() || self.slots.busy().any(|job| job.wanted);
        match self.link {
            Link::Up(_) if working => {}
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
