//! What a run came to, and what of it must not be.

use std::collections::{BTreeMap, BTreeSet};

use powerhose::Report;
use serde::Serialize;

use super::load::Outcomes;
use crate::usage::Usage;

/// A run in one line.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Workers at the beginning.
    pub workers: usize,
    /// The processes that they were in.
    pub processes: usize,
    /// How long jobs were handed in, in seconds.
    pub seconds: u32,
    /// Jobs in a second.
    pub rate: u32,
    /// How long it took from the start of the workers' processes until all were registered.
    pub registered_ms: u64,
    /// Workers in the process that was killed.
    pub killed: usize,
    /// How long it took from the kill until the master had missed all of them.
    pub noticed_ms: u64,
    /// What became of the jobs.
    pub jobs: Outcomes,
    /// Attempts after a job's first one.
    pub redispatched: u64,
    /// What the master used: without workers, with all of them and no job, at the end of the load.
    pub master: [Usage; 3],
    /// What a worker without jobs costs the master in memory.
    pub rss_per_worker_kib: f64,
    /// What the largest process of workers used at the end.
    pub workers_process: Usage,
}

/// What is known at the end of a run.
pub(super) struct Evidence<'a> {
    pub(super) summary: &'a Summary,
    /// The process that was killed.
    pub(super) killed: u32,
    /// When all workers had registered.
    pub(super) before: &'a Report,
    /// When all jobs had their outcome.
    pub(super) after: &'a Report,
}

fn sessions(report: &Report) -> BTreeMap<&str, u32> {
    (report.workers.iter())
        .map(|worker| (&worker.session[..], worker.pid))
        .collect()
}

/// What must not be.
pub(super) fn complaints(evidence: &Evidence<'_>) -> Vec<String> {
    let Evidence {
        summary,
        killed,
        before,
        after,
    } = evidence;
    let mut complaints = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            complaints.push(what);
        }
    };
    let jobs = &summary.jobs;
    must(
        jobs.ok == jobs.submitted,
        format!("{} of {} jobs were done right", jobs.ok, jobs.submitted),
    );
    let ended = jobs.ok + jobs.wrong + jobs.failed.values().sum::<u64>();
    must(
        ended == jobs.submitted,
        format!("{} jobs have {ended} outcomes", jobs.submitted),
    );
    let counter = |name: &str| after.counters.get(name).copied().unwrap_or_default();
    must(
        counter("completed") == jobs.submitted && counter("failed") == 0,
        format!(
            "the master says that it completed {} jobs and {} failed",
            counter("completed"),
            counter("failed")
        ),
    );
    must(
        counter("clients_replied") == jobs.submitted && counter("clients_duplicates") == 0,
        format!(
            "{} replies were made, {} jobs came twice",
            counter("clients_replied"),
            counter("clients_duplicates")
        ),
    );
    let survivors: BTreeSet<&str> = (sessions(before).into_iter())
        .filter(|(_, pid)| pid != killed)
        .map(|(session, _)| session)
        .collect();
    let found: BTreeSet<&str> = sessions(after).into_keys().collect();
    must(
        found == survivors,
        format!(
            "of {} workers that were not killed {} have kept their sessions",
            survivors.len(),
            found.intersection(&survivors).count()
        ),
    );
    let lost = |report: &Report| {
        (["workers_lost", "workers_silent", "workers_overflowed"].iter())
            .map(|name| report.counters.get(*name).copied().unwrap_or_default())
            .sum::<u64>()
    };
    must(
        lost(after) - lost(before) == summary.killed as u64 && counter("workers_silent") == 0,
        format!(
            "the master lost {} workers and expired {}, {} were killed",
            lost(after) - lost(before),
            counter("workers_silent"),
            summary.killed
        ),
    );
    must(
        before.omitted == 0 && after.omitted == 0,
        "a report leaves workers out".to_owned(),
    );
    must(
        summary.redispatched > 0,
        "no job was at a worker that was killed: the run shows nothing".to_owned(),
    );
    complaints
}
