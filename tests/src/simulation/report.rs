//! What one run, or many, did.

use std::time::Duration;

use powerhose::master::Counters;
use powerhose::{Bytes, ExecuteError};

use super::coverage::Coverage;
use super::faults::Tally;

/// The outcomes that jobs had, by the codes of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcomes([u64; OUTCOMES.len()]);

const OUTCOMES: [&str; 14] = [
    "ok",
    "overloaded",
    "no-workers",
    "deadline-exceeded",
    "worker-lost",
    "attempts-timed-out",
    "poison",
    "failed",
    "panicked",
    "too-large",
    "invalid-service",
    "overrun",
    "abandoned",
    "shutting-down",
];

impl Outcomes {
    pub(super) fn count(&mut self, result: &Result<Bytes, ExecuteError>) {
        let code = result.as_ref().map_or_else(ExecuteError::code, |_| "ok");
        if let Some(place) = OUTCOMES.iter().position(|known| *known == code) {
            self.0[place] += 1;
        }
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// Every outcome with how often it was had.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        OUTCOMES.into_iter().zip(self.0)
    }
}

/// What a run, or many, did.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Report {
    /// Jobs handed in.
    pub jobs: u64,
    /// Handlers started.
    pub executions: u64,
    /// Events handed to masters, after each of which everything was checked.
    pub steps: u64,
    /// How long it took in the virtual world.
    pub virtual_time: Duration,
    /// Faults done.
    pub faults: Tally,
    /// Transitions gone through.
    pub coverage: Coverage,
    /// Outcomes of jobs.
    pub outcomes: Outcomes,
    /// What the masters counted.
    pub counters: Counters,
}

impl Report {
    /// The kinds of fault that were not done and the transitions that were not gone through.
    pub fn left_out(&self) -> Vec<String> {
        let faults = self.faults.iter().filter(|(_, count)| *count == 0);
        let faults = faults.map(|(fault, _)| fault.name().to_owned());
        faults.chain(self.coverage.missing()).collect()
    }

    /// Adds what another run did.
    pub fn add(&mut self, other: &Self) {
        self.jobs += other.jobs;
        self.executions += other.executions;
        self.steps += other.steps;
        self.virtual_time += other.virtual_time;
        self.faults.add(&other.faults);
        self.coverage.add(&other.coverage);
        self.outcomes.add(&other.outcomes);
        add(&mut self.counters, &other.counters);
    }
}

/// Adds up what masters counted, as far as it is of interest here.
pub(super) fn add(sum: &mut Counters, counted: &Counters) {
    sum.submitted += counted.submitted;
    sum.completed += counted.completed;
    sum.failed += counted.failed;
    sum.cancelled += counted.cancelled;
    sum.overloaded += counted.overloaded;
    sum.dispatched += counted.dispatched;
    sum.redispatched += counted.redispatched;
    sum.recalled += counted.recalled;
    sum.returned += counted.returned;
    sum.poisoned += counted.poisoned;
    sum.late_results += counted.late_results;
    sum.stale_results += counted.stale_results;
    sum.pauses += counted.pauses;
    sum.resumed += counted.resumed;
    sum.workers_lost += counted.workers_lost;
    sum.workers_silent += counted.workers_silent;
}
