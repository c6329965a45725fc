//! The deadlines that the core waits for. The next wake-up is the earliest of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::jobs::JobId;
use super::workers::WorkerKey;
use crate::time::Time;

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The caller of the job stops waiting: the job fails, a worker that has it is told.
    Deadline(JobId),
    /// This attempt of the job took too long: the job goes to another worker.
    Attempt(JobId, u8),
    /// The worker may have been silent for too long.
    Silence(WorkerKey),
    /// The time that passed since the last one of these is as long as it should be, or the process was stopped.
    Pulse,
    /// The worker may be too slow for what was sent ahead to it: jobs that it has not started are taken back.
    Recall(WorkerKey),
    /// A connection closed not long ago: find out whose.
    Probe,
    /// Those who died together may all have been found: their jobs go on.
    Hold,
}

/// A heap in which timers that lost their purpose stay until they outnumber the live ones.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Time, Timer)>>,
    stale: usize,
}

/// Below this number sweeping stale timers is not worth the pass.
const SWEEP_ABOVE: usize = 1024;

impl Timers {
    pub(super) fn arm(&mut self, at: Time, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }

    /// Notes that a timer still in the heap has lost its purpose. `is_live` is asked when a sweep is due.
    pub(super) fn retire(&mut self, count: usize, is_live: impl Fn(&Timer) -> bool) {
        self.stale += count;
        if self.stale > SWEEP_ABOVE && self.stale > self.heap.len() / 2 {
            self.heap.retain(|Reverse((_, timer))| is_live(timer));
            self.stale = 0;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    pub(super) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, timer))| timer)
    }
}
