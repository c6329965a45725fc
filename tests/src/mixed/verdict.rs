//! What a run came to, and what of it must not be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use powerhose::Report;
use serde::Serialize;

use super::evidence::{Evidence, Record};
use super::payload::is_at_most_once;
use super::plan::Part;
use super::pool::Language;

/// How often a job may be started if nothing else was said.
const MOST_ATTEMPTS: usize = 3;

/// What each worker does in the steady part at least, of what it would do if all did the same.
const FAIR_SHARE: f64 = 0.5;

/// How many examples a complaint names.
const EXAMPLES: usize = 5;

/// What was seen in a run.
pub(super) struct Observed {
    pub(super) evidence: Evidence,
    /// The clients' processes.
    pub(super) clients: Vec<u32>,
    /// The last report of the master that was killed.
    pub(super) first_master: Report,
    /// The last report of its successor.
    pub(super) second_master: Report,
}

/// A run.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Jobs in all.
    pub jobs: u64,
    /// By part.
    pub parts: Vec<PartSummary>,
    /// By worker.
    pub workers: Vec<WorkerSummary>,
    /// Processes killed: workers and the master.
    pub kills: usize,
    /// Attempts after a job's first one, of the first master.
    pub redispatched: u64,
}

/// A part of a run.
#[derive(Debug, Clone, Serialize)]
pub struct PartSummary {
    /// Which.
    pub part: Part,
    /// How long it took.
    pub seconds: f64,
    /// Its jobs.
    pub jobs: u64,
    /// How they ended, by the outcome's name.
    pub outcomes: BTreeMap<String, u64>,
    /// How often workers started one of them.
    pub executions: u64,
}

/// A worker.
#[derive(Debug, Clone, Serialize)]
pub struct WorkerSummary {
    /// What it is written in.
    pub language: Language,
    /// Its process.
    pub pid: u32,
    /// Whether it was killed.
    pub is_killed: bool,
    /// Jobs that it started, by part.
    pub executions: [u64; 3],
}

fn counter(report: &Report, name: &str) -> u64 {
    report.counters.get(name).copied().unwrap_or_default()
}

impl Summary {
    pub(super) fn new(observed: &Observed, workers: Vec<WorkerSummary>, seconds: [f64; 3]) -> Self {
        let evidence = &observed.evidence;
        let parts = Part::ALL.into_iter().zip(seconds).map(|(part, seconds)| {
            let jobs = evidence.plan.jobs(part);
            let mut summary = PartSummary {
                part,
                seconds,
                jobs: jobs.end - jobs.start,
                outcomes: BTreeMap::new(),
                executions: 0,
            };
            for (_, record) in evidence.of(part) {
                summary.executions += record.attempts.len() as u64;
                for outcome in &record.outcomes {
                    let count = summary.outcomes.entry(outcome.name.clone());
                    *count.or_default() += 1;
                }
            }
            summary
        });
        Self {
            jobs: evidence.plan.total(),
            parts: parts.collect(),
            kills: 1 + workers.iter().filter(|worker| worker.is_killed).count(),
            workers,
            redispatched: counter(&observed.first_master, "redispatched"),
        }
    }

    /// How many jobs of a part had this outcome.
    fn outcomes(&self, part: Part, name: &str) -> u64 {
        let parts = self.parts.iter().filter(|summary| summary.part == part);
        parts.filter_map(|summary| summary.outcomes.get(name)).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (jobs, redispatched) = (self.jobs, self.redispatched);
        let kills = self.kills;
        writeln!(
            f,
            "{jobs} jobs, {kills} processes killed, {redispatched} jobs given to another worker"
        )?;
        for part in &self.parts {
            let name = part.part.name();
            write!(
                f,
                "{name:<15} {:>7} jobs in {:>5.1} s, started {} times:",
                part.jobs, part.seconds, part.executions
            )?;
            for (outcome, count) in &part.outcomes {
                write!(f, " {count} {outcome}")?;
            }
            writeln!(f)?;
        }
        for worker in &self.workers {
            let [steady, killed, master] = worker.executions;
            let end = if worker.is_killed { ", killed" } else { "" };
            writeln!(
                f,
                "{:<7} worker {:<7} {steady:>7} {killed:>7} {master:>7}{end}",
                worker.language.name(),
                worker.pid
            )?;
        }
        Ok(())
    }
}

/// What must not be of a job's record, if anything.
fn fault(part: Part, number: u64, record: &Record) -> Option<&'static str> {
    let Record { outcomes, attempts } = record;
    let outcome = match &outcomes[..] {
        [] => return Some("have no outcome"),
        [outcome] => outcome,
        _ => return Some("have several outcomes"),
    };
    let (name, times) = (&outcome.name[..], attempts.len());
    let only_once = is_at_most_once(number);
    let may_fail = match part {
        Part::WorkersKilled => only_once && name == "worker-lost",
        Part::MasterKilled => only_once && name == "master-lost",
        Part::Steady => false,
    };
    let differ = attempts.iter().collect::<BTreeSet<_>>().len() == times;
    match () {
        () if name == "wrong" => Some("have a wrong result"),
        () if name != "ok" && !may_fail => Some("failed"),
        () if name == "ok" && times == 0 => Some("have a result without having been started"),
        () if outcome.denies_start && times > 0 => {
            Some("were started although their error denies it")
        }
        () if only_once && times > 1 => Some("were started twice although they must not"),
        () if times > MOST_ATTEMPTS => Some("were started more often than they may"),
        () if part == Part::Steady && times > 1 => Some("were started twice although nobody died"),
        // Another master counts from 1 again.
        () if part != Part::MasterKilled && !differ => Some("had the same attempt started twice"),
        () => None,
    }
}

/// What must not be.
pub(super) fn complaints(observed: &Observed, summary: &Summary) -> Vec<String> {
    let evidence = &observed.evidence;
    let mut faults: BTreeMap<(Part, &str), Vec<u64>> = BTreeMap::new();
    for part in Part::ALL {
        for (number, record) in evidence.of(part) {
            if let Some(fault) = fault(part, number, record) {
                faults.entry((part, fault)).or_default().push(number);
            }
        }
    }
    let mut complaints: Vec<String> = (faults.iter())
        .map(|((part, fault), jobs)| {
            let some = &jobs[..jobs.len().min(EXAMPLES)];
            format!(
                "{}: {} jobs {fault}, such as {some:?}",
                part.name(),
                jobs.len()
            )
        })
        .collect();
    let mut must = |holds: bool, what: String| {
        if !holds {
            complaints.push(what);
        }
    };
    let strays = evidence.strays;
    must(
        strays == 0,
        format!("{strays} lines name jobs that there are not"),
    );

    let workers = &summary.workers;
    let steady = workers.iter().map(|worker| worker.executions[0]);
    let mean = steady.sum::<u64>() as f64 / workers.len() as f64;
    for worker in workers {
        let (language, [share, ..]) = (worker.language.name(), worker.executions);
        must(
            share as f64 >= FAIR_SHARE * mean,
            format!("a {language} worker did {share} jobs, the mean is {mean:.0}"),
        );
    }

    let (first, second) = (&observed.first_master, &observed.second_master);
    let killed = workers.iter().filter(|worker| worker.is_killed).count() as u64;
    let lost = counter(first, "workers_lost");
    must(
        killed == Language::ALL.len() as u64 && lost == killed,
        format!("{killed} workers were killed, the master missed {lost}"),
    );
    let affected = summary.redispatched + summary.outcomes(Part::WorkersKilled, "worker-lost");
    must(
        affected > 0,
        "no job was at a worker that was killed: the run shows nothing".to_owned(),
    );
    must(
        summary.outcomes(Part::MasterKilled, "master-lost") > 0,
        "no job was at the master that was killed: the run shows nothing".to_owned(),
    );
    must(
        first.pid != second.pid,
        "the master was not killed".to_owned(),
    );
    let found: BTreeSet<u32> = second.clients.iter().map(|client| client.pid).collect();
    let missing = observed.clients.iter().filter(|pid| !found.contains(pid));
    let missing = missing.count();
    must(
        missing == 0,
        format!("{missing} clients have not come back to the second master"),
    );
    for worker in workers.iter().filter(|worker| !worker.is_killed) {
        let mut known = second
            .workers
            .iter()
            .filter(|known| known.pid == worker.pid);
        must(
            known.any(|known| known.completed > 0),
            format!(
                "a {} worker did nothing for the second master",
                worker.language.name()
            ),
        );
    }
    complaints
}

#[cfg(test)]
mod tests;
