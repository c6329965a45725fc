//! When to find out whose connection closed.

use std::time::Duration;

use crate::time::Time;

/// When to probe after a connection closed. The first probe can still be accepted by a connection that is being torn
/// down, so there are more.
const PROBE_AT: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(20),
];

/// The time between two probes is at least this for each peer, so that probing takes a few percent of one core at most.
const PROBE_COST: Duration = Duration::from_micros(20);

fn gap(peers: usize) -> Duration {
    PROBE_COST * u32::try_from(peers).unwrap_or(u32::MAX)
}

/// Where the master is in finding out whose connection closed.
#[derive(Debug, Default)]
pub(super) struct Probing {
    /// When the next probe is due; a timer that fires earlier is stale.
    due: Option<Time>,
    /// The closing that the probes are about, and how many there have been for it.
    since: Time,
    made: usize,
    last: Option<Time>,
}

impl Probing {
    /// How long it takes from the closing of a connection until its worker is found.
    pub(super) fn round(peers: usize) -> Duration {
        PROBE_AT[3] + gap(peers) * 4
    }

    /// A connection closed. Returns when a timer is to be armed for, if there is none that does.
    pub(super) fn begin(&mut self, now: Time, peers: usize) -> Option<Time> {
        self.since = now;
        self.made = 0;
        self.schedule(now, peers)
    }

    /// Whether a timer that fired is the one that counts.
    pub(super) fn is_due(&mut self, now: Time) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.due = None;
        self.last = Some(now);
        true
    }

    /// Every peer has been written to. Returns when the next timer is to be armed for.
    pub(super) fn done(&mut self, peers: usize) -> Option<Time> {
        self.made += 1;
        let delay = PROBE_AT.get(self.made)?;
        self.schedule(self.since + *delay, peers)
    }

    fn schedule(&mut self, at: Time, peers: usize) -> Option<Time> {
        let at = (self.last).map_or(at, |last| at.max(last + gap(peers).max(PROBE_AT[1])));
        let is_sooner = self.due.is_none_or(|due| at < due);
        is_sooner.then(|| *self.due.insert(at))
    }
}
