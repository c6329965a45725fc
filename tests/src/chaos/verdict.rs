//! Whether the evidence bears out what was promised, and whether the run was worth the name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::evidence::{Ending, Evidence, JobRecord};
use super::journal::{Detection, Outcome};
use super::payload::JobName;
use super::service::{Counted, IN_FLIGHT};

/// What a run of 30 s has to reach; a shorter one as much less.
const JOBS_PER_30_S: u64 = 50_000;
const KILLS_PER_30_S: u64 = 100;
const SUCCESS_RATE: f64 = 0.99;
const DETECTION_P50: Duration = Duration::from_millis(5);
const REACTION_MAX: Duration = Duration::from_millis(100);

/// At most so many violations of one kind are told one by one.
const TOLD: usize = 10;

/// A run in one line.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Jobs that had an outcome.
    pub jobs: u64,
    /// How many of them had which.
    pub outcomes: BTreeMap<String, u64>,
    /// Jobs that were under way when their service was killed.
    pub cut_off: u64,
    /// Good workers that were killed. Those whose handler aborts are not counted.
    pub kills: u64,
    /// Good workers that were stopped for a while.
    pub stops: u64,
    /// Good workers that were told to leave, and replaced.
    pub drains: u64,
    /// How often a service was stopped for a while.
    pub service_pauses: u64,
    /// How often a service was killed and followed by another one.
    pub service_restarts: u64,
    /// How long it took from a kill until the master listed the worker no more.
    pub detection_ms: Spread,
    /// How much of that came after the system had taken the killed process apart, which is when its connection closes: the master's
    /// own part.
    pub reaction_ms: Spread,
    /// How long the workers took to find the next service.
    pub longest_gathering_ms: f64,
    /// The longest that a caller waited.
    pub longest_wait_ms: f64,
    /// Attempts after a job's first one, by the services' last reports.
    pub redispatched: u64,
    /// How often handlers ran.
    pub executions: Executions,
    /// The part of the jobs that ended with their result, among those whose caller did not go away.
    pub success_rate: f64,
    /// How long the load lasted.
    pub seconds: u32,
    /// What decided who was hurt when.
    pub seed: u64,
}

/// How long something took that happened many times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half of them took no longer.
    pub p50: f64,
    /// None took longer.
    pub max: f64,
}

impl Spread {
    fn of(durations: impl Iterator<Item = Duration>) -> Self {
        let mut durations: Vec<_> = durations.collect();
        durations.sort_unstable();
        Self {
            p50: milliseconds(durations.get(durations.len() / 2).copied()),
            max: milliseconds(durations.last().copied()),
        }
    }
}

/// How often handlers ran.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Executions {
    /// Over all jobs.
    pub total: usize,
    /// For one job.
    pub max_per_job: usize,
}

impl Summary {
    /// Sums a run up.
    pub fn new(evidence: &Evidence, seconds: u32, seed: u64) -> Self {
        let outcomes = evidence.outcomes(None);
        let jobs: u64 = outcomes.values().sum();
        let count = |name: &str| outcomes.get(name).copied().unwrap_or(0);
        let detections = || evidence.detections.iter();
        let reaction = |Detection { noticed, ended }: &Detection| noticed.saturating_sub(*ended);
        let reports = || evidence.lives.values().map(Ending::report);
        let executions = || evidence.jobs.values().map(|job| job.executions.len());
        let waits = evidence.jobs.values().flat_map(|job| &job.ended);
        Self {
            jobs,
            cut_off: (evidence.jobs.values())
                .filter(|job| job.ended.is_none())
                .count() as u64,
            kills: (detections().count() + evidence.undetected) as u64,
            stops: evidence.stops as u64,
            drains: evidence.drains as u64,
            service_pauses: evidence.pauses.values().sum(),
            service_restarts: evidence.lives.len().saturating_sub(1) as u64,
            detection_ms: Spread::of(detections().map(|detection| detection.noticed)),
            reaction_ms: Spread::of(detections().map(reaction)),
            longest_gathering_ms: milliseconds(reports().map(|report| report.gathered).max()),
            longest_wait_ms: milliseconds(waits.map(|(_, waited)| *waited).max()),
            redispatched: reports().map(|report| report.counted.redispatched).sum(),
            executions: Executions {
                total: executions().sum(),
                max_per_job: executions().max().unwrap_or(0),
            },
            success_rate: count("ok") as f64 / (jobs - count("cancelled")).max(1) as f64,
            outcomes,
            seconds,
            seed,
        }
    }

    /// What a run did not reach that it should on a machine of its own: how much was done and how soon deaths were noticed.
    pub fn shortfalls(&self) -> Vec<String> {
        let share = |per_30_s: u64| per_30_s * u64::from(self.seconds) / 30;
        let mut shortfalls = Vec::new();
        let mut expect = |holds: bool, what: String| {
            if !holds {
                shortfalls.push(what);
            }
        };
        let (jobs, kills) = (share(JOBS_PER_30_S), share(KILLS_PER_30_S));
        expect(
            self.jobs >= jobs,
            format!("only {} jobs, {jobs} were expected", self.jobs),
        );
        expect(
            self.kills >= kills,
            format!("only {} kills, {kills} were expected", self.kills),
        );
        expect(
            self.success_rate >= SUCCESS_RATE,
            format!(
                "only {:.2} % of the jobs succeeded, not {:.0} %",
                self.success_rate * 100.0,
                SUCCESS_RATE * 100.0
            ),
        );
        for (name, value, limit) in [
            ("detection p50", self.detection_ms.p50, DETECTION_P50),
            ("reaction max", self.reaction_ms.max, REACTION_MAX),
        ] {
            let limit = milliseconds(Some(limit));
            expect(
                value <= limit,
                format!("{name} is {value:.1} ms, more than {limit:.0} ms"),
            );
        }
        shortfalls
    }
}

fn milliseconds(duration: Option<Duration>) -> f64 {
    (duration.unwrap_or_default().as_secs_f64() * 1e6).round() / 1e3
}

/// Every way in which the evidence contradicts what was promised.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let mut violations = Vec::new();
    for (life, ending) in &evidence.lives {
        check_life(evidence, *life, ending, &mut violations);
    }
    check_jobs(evidence, &mut violations);
    if evidence.undetected > 0 {
        violations.push(format!(
            "{} workers were killed and never missed",
            evidence.undetected
        ));
    }
    if evidence.undrained > 0 {
        violations.push(format!(
            "{} workers were told to leave and stayed",
            evidence.undrained
        ));
    }
    violations
}

fn check_life(evidence: &Evidence, life: u32, ending: &Ending, violations: &mut Vec<String>) {
    let records = || {
        (evidence.jobs.iter())
            .filter(|(name, _)| name.life == life)
            .map(|(_, record)| record)
    };
    let open = records().filter(|job| job.ended.is_none()).count();
    match ending {
        Ending::Killed(_) if open > IN_FLIGHT as usize => violations.push(format!(
            "life {life}: {open} jobs have no outcome, only {IN_FLIGHT} can have been under way"
        )),
        Ending::Killed(_) => {}
        Ending::InOrder(report) => {
            if open > 0 {
                violations.push(format!("life {life}: {open} jobs never had an outcome"));
            }
            let paused = evidence.pauses.get(&life).copied().unwrap_or(0);
            let noticed = report.counted.pauses;
            if noticed < paused {
                violations.push(format!(
                    "life {life}: the master was stopped {paused} times and noticed {noticed}"
                ));
            }
            let journal = from_journal(&evidence.outcomes(Some(life)));
            if !agree(&report.counted, &journal) {
                violations.push(format!(
                    "life {life}: the master counted {:?}, its callers {journal:?}",
                    report.counted
                ));
            }
        }
    }
}

/// What the master should have counted, by its callers' account.
fn from_journal(outcomes: &BTreeMap<String, u64>) -> Counted {
    let count = |name: &str| outcomes.get(name).copied().unwrap_or(0);
    let submitted = outcomes.values().sum();
    let (completed, cancelled) = (count("ok") + count("wrong"), count("cancelled"));
    Counted {
        submitted,
        completed,
        failed: submitted - completed - cancelled,
        cancelled,
        ..Counted::default()
    }
}

/// Whether the master's count fits its callers'. A job whose caller goes away just then may end before the master learns of it.
fn agree(master: &Counted, callers: &Counted) -> bool {
    let sum = master.completed + master.failed + master.cancelled;
    master.submitted == callers.submitted
        && sum == master.submitted
        && master.completed >= callers.completed
        && master.failed >= callers.failed
}

type Check = (&'static str, fn(&JobRecord) -> bool);

/// What must never be true of a job.
const NEVER: &[Check] = &[
    ("was submitted other than once", |job| job.submissions != 1),
    ("has more than one outcome", |job| job.endings > 1),
    ("was started more often than allowed", |job| {
        job.executions.len() > usize::from(job.attempts)
    }),
    ("had one attempt started twice", |job| {
        let attempts: BTreeSet<_> = job.executions.iter().collect();
        attempts.len() < job.executions.len()
    }),
    ("has a result that is not its own", |job| {
        job.has_outcome(|outcome| *outcome == Outcome::Wrong)
    }),
    ("has a result although nobody worked on it", |job| {
        job.executions.is_empty() && job.has_outcome(|outcome| *outcome == Outcome::Ok)
    }),
    ("was started although its error denies it", |job| {
        !job.executions.is_empty() && job.has_outcome(Outcome::denies_start)
    }),
];

fn check_jobs(evidence: &Evidence, violations: &mut Vec<String>) {
    for (what, is_violated) in NEVER {
        let mut names: Vec<JobName> = (evidence.jobs.iter())
            .filter(|(_, record)| is_violated(record))
            .map(|(name, _)| *name)
            .collect();
        names.sort_unstable();
        for name in names.iter().take(TOLD) {
            let JobName { life, job } = name;
            let record = &evidence.jobs[name];
            violations.push(format!("job {job} of life {life} {what}: {record:?}"));
        }
        if names.len() > TOLD {
            violations.push(format!("{} more jobs: {what}", names.len() - TOLD));
        }
    }
}

#[cfg(test)]
mod tests;
