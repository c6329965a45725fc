//! What is to happen in the virtual world, in order of time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use powerhose::Time;

use super::faults::Fault;

/// Something that happens by itself once its time has come.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// A caller hands in the next job of a burst.
    Submit { burst: u16 },
    /// A caller goes away.
    Abandon { job: u32 },
    /// The next message of a connection reaches the master.
    ReachMaster { connection: u32 },
    /// The next message of a connection reaches the worker.
    ReachWorker { connection: u32 },
    /// The master's system notices that a connection was closed.
    Closed { connection: u32 },
    /// A connection breaks.
    Sever { connection: u32 },
    /// The master's ZMTP heartbeats over a connection have not been answered for too long, unless they have.
    HeartbeatsMissed { connection: u32 },
    /// A worker's socket tries to reach the master.
    Connect { process: u8, socket: u32 },
    /// The master is to be woken.
    WakeMaster,
    /// A worker is to be woken.
    WakeWorker { process: u8 },
    /// A handler comes to its end.
    HandlerDone { process: u8, execution: u32 },
    /// A worker's process starts.
    StartWorker { process: u8 },
    /// A worker's process goes on after a stop.
    ResumeWorker { process: u8, stop: u32 },
    /// A master's process starts.
    StartMaster,
    /// The master's process goes on after a stop.
    ResumeMaster { stop: u32 },
    /// Somebody's fault.
    Inject { fault: Fault },
    /// No more faults. What was broken is mended.
    Mend,
    /// Look whether everything has come to its end.
    Settle,
}

#[derive(Debug)]
struct Entry {
    at: Time,
    serial: u32,
    what: What,
}

impl Ord for Entry {
    /// The earliest is the greatest, as `BinaryHeap` wants it.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.serial).cmp(&(self.at, self.serial))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

/// What is to happen; at the same time, what was entered first.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Entry>,
    serial: u32,
}

impl Agenda {
    pub(super) fn enter(&mut self, at: Time, what: What) {
        self.serial += 1;
        let serial = self.serial;
        self.heap.push(Entry { at, serial, what });
    }

    pub(super) fn next(&mut self) -> Option<(Time, What)> {
        self.heap.pop().map(|entry| (entry.at, entry.what))
    }
}
