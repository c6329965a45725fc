//! What the journals of a run say, put together by job.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::time::Duration;

use super::ground::Ground;
use super::journal::{self, Detection, Entry, Execution, Outcome};
use super::payload::JobName;
use super::service::Report;

/// How a service's life ended.
#[derive(Debug, Clone, Copy)]
pub enum Ending {
    /// It was killed, after this last report.
    Killed(Report),
    /// It ended in order, with this last report.
    InOrder(Report),
}

impl Ending {
    /// What the service said last.
    pub fn report(&self) -> &Report {
        match self {
            Self::Killed(report) | Self::InOrder(report) => report,
        }
    }
}

/// Everything that is known of a job.
#[derive(Debug, Clone, Default)]
pub struct JobRecord {
    /// How often it may be started; 0 if it was never submitted.
    pub attempts: u8,
    /// How often it was submitted: once, or the evidence is worth nothing.
    pub submissions: usize,
    /// Its outcome and how long its caller waited.
    pub ended: Option<(Outcome, Duration)>,
    /// How often it had an outcome.
    pub endings: usize,
    /// The numbers of the attempts that were started.
    pub executions: Vec<u8>,
}

/// Everything that is known of a run.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// How each life of the service ended, by its number.
    pub lives: BTreeMap<u32, Ending>,
    /// By job.
    pub jobs: HashMap<JobName, JobRecord>,
    /// How long the end of each worker took that was killed.
    pub detections: Vec<Detection>,
    /// Workers that were killed without being noticed.
    pub undetected: usize,
    /// Workers that left when they were told to.
    pub drains: usize,
    /// Workers that did not.
    pub undrained: usize,
    /// Workers that were stopped for a while.
    pub stops: usize,
    /// How often the service of each life was stopped for a while.
    pub pauses: BTreeMap<u32, u64>,
}

impl JobRecord {
    /// Whether it ended with an outcome of which this is true.
    pub fn has_outcome(&self, is_it: impl Fn(&Outcome) -> bool) -> bool {
        (self.ended.as_ref()).is_some_and(|(outcome, _)| is_it(outcome))
    }
}

impl Evidence {
    /// Gathers everything that was left on the ground.
    ///
    /// # Errors
    /// What the system says; `InvalidData` for a journal that is damaged.
    pub fn gather(ground: &Ground, lives: BTreeMap<u32, Ending>) -> io::Result<Self> {
        let numbers: Vec<u32> = lives.keys().copied().collect();
        let mut evidence = Self {
            lives,
            ..Self::default()
        };
        for life in numbers {
            journal::read(&ground.journal(life), |entry| evidence.enter(life, entry))?;
        }
        for file in fs::read_dir(ground.executions())? {
            journal::read(&file?.path(), |execution| evidence.execute(execution))?;
        }
        Ok(evidence)
    }

    /// Takes in what a service wrote down.
    pub fn enter(&mut self, life: u32, entry: Entry) {
        match entry {
            Entry::Submitted { job, attempts } => {
                let record = self.jobs.entry(JobName { life, job }).or_default();
                record.attempts = attempts;
                record.submissions += 1;
            }
            Entry::Ended {
                job,
                outcome,
                waited,
            } => {
                let record = self.jobs.entry(JobName { life, job }).or_default();
                record.ended = Some((outcome, waited));
                record.endings += 1;
            }
            Entry::Killed(detection) => self.detections.push(detection),
            Entry::Undetected => self.undetected += 1,
            Entry::Drained => self.drains += 1,
            Entry::Undrained => self.undrained += 1,
            Entry::Stopped => self.stops += 1,
            Entry::Paused => *self.pauses.entry(life).or_default() += 1,
        }
    }

    /// Takes in what a worker wrote down.
    pub fn execute(&mut self, Execution { name, attempt }: Execution) {
        let record = self.jobs.entry(name).or_default();
        record.executions.push(attempt);
    }

    /// How many jobs of a life, or of all, had each outcome, by its name.
    pub fn outcomes(&self, life: Option<u32>) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (name, record) in &self.jobs {
            if life.is_none_or(|life| name.life == life)
                && let Some((outcome, _)) = &record.ended
            {
                *counts.entry(outcome.name().to_owned()).or_default() += 1;
            }
        }
        counts
    }
}
