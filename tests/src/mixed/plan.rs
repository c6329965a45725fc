//! Which jobs there are, and in which part of a run.

use std::ops::Range;

use serde::Serialize;

/// The fewest jobs of a part in which something is killed: enough to be under way all the while.
const FEWEST: u64 = 2000;

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Nothing happens.
    Steady,
    /// A worker of each language is killed.
    WorkersKilled,
    /// The master is killed and started again.
    MasterKilled,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Steady, Self::WorkersKilled, Self::MasterKilled];

    /// What a person reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::WorkersKilled => "workers killed",
            Self::MasterKilled => "master killed",
        }
    }
}

/// How many jobs each part has. They are numbered through from 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    steady: u64,
    faulty: u64,
}

impl Plan {
    /// For so many jobs in the first part; each of the others has a fifth of that.
    pub(super) fn new(steady: u64) -> Self {
        let faulty = (steady / 5).max(FEWEST);
        Self { steady, faulty }
    }

    /// The jobs of a part.
    pub(super) fn jobs(self, part: Part) -> Range<u64> {
        let killed = self.steady + self.faulty;
        match part {
            Part::Steady => 0..self.steady,
            Part::WorkersKilled => self.steady..killed,
            Part::MasterKilled => killed..self.total(),
        }
    }

    /// Those of them that one of so many clients has done.
    pub(super) fn share(self, part: Part, client: u64, clients: u64) -> Range<u64> {
        let jobs = self.jobs(part);
        let count = jobs.end - jobs.start;
        let from = |client| jobs.start + count * client / clients;
        from(client)..from(client + 1)
    }

    /// The part that a job belongs to.
    pub(super) fn part(self, job: u64) -> Option<Part> {
        (Part::ALL.into_iter()).find(|part| self.jobs(*part).contains(&job))
    }

    /// Jobs in all.
    pub(super) fn total(self) -> u64 {
        self.steady + 2 * self.faulty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_in_one_part_and_at_one_client() {
        let plan = Plan::new(10_001);
        let mut next = 0;
        for part in Part::ALL {
            for client in 0..4 {
                let share = plan.share(part, client, 4);
                assert_eq!(share.start, next);
                assert!(share.end > next);
                assert_eq!(plan.part(share.end - 1), Some(part));
                next = share.end;
            }
        }
        assert_eq!(next, plan.total());
        assert_eq!(plan.part(next), None);
    }
}
