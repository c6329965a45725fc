//! What a run came to, and what of it must not be.

use serde::Serialize;

use super::clients::Tally;
use crate::usage::Usage;

/// The part of a run that is its warm-up: tables, histograms and allocators have then been as full as they get.
const WARM_UP: f64 = 0.25;

/// Memory of a process may grow by so much from the first third after the warm-up to the last one, median against median: what an
/// allocator's fragments come to. A leak of one byte for each job would be found in minutes.
const MAY_GROW_BY: f64 = 0.05;
const MAY_GROW_KIB: u64 = 2048;

/// Descriptors may grow by so many: connections that are being made or closed.
const MAY_GROW_DESCRIPTORS: u64 = 8;

/// What a process used at the beginning and at the end: medians of a third of the measurements each.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Growth {
    /// After the warm-up.
    pub first: Usage,
    /// At the end.
    pub last: Usage,
}

impl Growth {
    /// What the measurements of a run, one each second, come to.
    pub fn new(samples: &[Usage]) -> Self {
        let from = (samples.len() as f64 * WARM_UP) as usize;
        let warm = &samples[from..];
        let third = warm.len().div_ceil(3);
        Self {
            first: median(&warm[..third]),
            last: median(&warm[warm.len() - third..]),
        }
    }

    /// Why its memory is not flat, if it is not.
    pub fn memory(&self) -> Option<String> {
        let (first, last) = (self.first.rss_kib, self.last.rss_kib);
        let most = first + (first as f64 * MAY_GROW_BY) as u64 + MAY_GROW_KIB;
        (last > most).then(|| format!("memory grew from {first} to {last} KiB, {most} at most"))
    }

    /// Why its descriptors are not flat, if they are not.
    pub fn descriptors(&self) -> Option<String> {
        let (first, last) = (self.first.descriptors, self.last.descriptors);
        let most = first + MAY_GROW_DESCRIPTORS;
        (last > most).then(|| format!("descriptors grew from {first} to {last}, {most} at most"))
    }
}

fn median(samples: &[Usage]) -> Usage {
    let middle = |number: fn(&Usage) -> u64| {
        let mut numbers: Vec<u64> = samples.iter().map(number).collect();
        numbers.sort_unstable();
        numbers.get(numbers.len() / 2).copied().unwrap_or_default()
    };
    Usage {
        rss_kib: middle(|usage| usage.rss_kib),
        descriptors: middle(|usage| usage.descriptors),
    }
}

/// A run in one line.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// How long it lasted, in seconds.
    pub seconds: u64,
    /// What became of the jobs.
    pub jobs: Tally,
    /// Worker processes that were killed, and that were told to leave.
    pub workers_killed: u64,
    /// See `workers_killed`.
    pub workers_drained: u64,
    /// The master's process.
    pub master: Growth,
    /// The process of clients.
    pub clients: Growth,
    /// The process of workers that stay.
    pub workers: Growth,
}

impl Summary {
    /// What must not be. `judge_memory` is for runs that are long enough for it to settle.
    pub fn complaints(&self, judge_memory: bool) -> Vec<String> {
        let mut complaints = Vec::new();
        let jobs = &self.jobs;
        let ended = jobs.ok + jobs.wrong + jobs.given_up + jobs.failed.values().sum::<u64>();
        if ended != jobs.begun {
            complaints.push(format!("{} jobs have {ended} outcomes", jobs.begun));
        }
        if jobs.wrong > 0 || !jobs.failed.is_empty() {
            let (wrong, failed) = (jobs.wrong, &jobs.failed);
            complaints.push(format!(
                "{wrong} results are wrong, jobs failed: {failed:?}"
            ));
        }
        if jobs.lost_sessions > 0 {
            let lost = jobs.lost_sessions;
            complaints.push(format!("{lost} sessions could not be resumed"));
        }
        let done = [
            ("job was done", jobs.ok),
            ("job was given up", jobs.given_up),
            ("client came and went", jobs.guests),
            ("session was resumed", jobs.resumed),
            ("worker was killed", self.workers_killed),
            ("worker was drained", self.workers_drained),
        ];
        for (what, _) in done.iter().filter(|(_, times)| *times == 0) {
            complaints.push(format!("no {what}: the run shows nothing"));
        }
        for (name, growth) in [
            ("master", &self.master),
            ("clients", &self.clients),
            ("workers", &self.workers),
        ] {
            let memory = growth.memory().filter(|_| judge_memory);
            let found = memory.into_iter().chain(growth.descriptors());
            complaints.extend(found.map(|why| format!("{name}: {why}")));
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(rss: impl Fn(u64) -> u64, descriptors: impl Fn(u64) -> u64) -> Vec<Usage> {
        (0..600)
            .map(|second| Usage {
                rss_kib: rss(second),
                descriptors: descriptors(second),
            })
            .collect()
    }

    #[test]
    fn a_warm_up_and_peaks_are_no_growth() {
        let rss = |second: u64| 10_000 + second.min(100) * 100 + second % 7 * 500;
        let growth = Growth::new(&samples(rss, |second| 50 + second % 10));
        assert_eq!((growth.memory(), growth.descriptors()), (None, None));
    }

    #[test]
    fn a_leak_is_growth() {
        let growth = Growth::new(&samples(
            |second| 10_000 + second * 10,
            |second| 50 + second / 20,
        ));
        assert!(growth.memory().is_some() && growth.descriptors().is_some());
    }
}
