//! What workers and clients wrote down, put together by job.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::plan::{Part, Plan};

/// How a job ended, as its client saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// `ok`, `wrong`, or the code of the error.
    pub(super) name: String,
    /// Whether this says that no handler saw the job.
    pub(super) denies_start: bool,
}

/// Everything that is known of a job.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    /// Its outcomes, which should be one.
    pub(super) outcomes: Vec<Outcome>,
    /// The numbers of the attempts that were started.
    pub(super) attempts: Vec<u8>,
}

/// Everything that is known of the jobs of a run.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    pub(super) plan: Plan,
    /// By the job's number.
    pub(super) jobs: Vec<Record>,
    /// Lines that name jobs which nobody handed in.
    pub(super) strays: u64,
}

impl Evidence {
    pub(super) fn new(plan: Plan) -> Self {
        // As many as were asked for on the command line: they fit into memory.
        let total = usize::try_from(plan.total()).unwrap_or(usize::MAX);
        Self {
            plan,
            jobs: vec![Record::default(); total],
            strays: 0,
        }
    }

    /// The jobs of a part and their numbers.
    pub(super) fn of(&self, part: Part) -> impl Iterator<Item = (u64, &Record)> {
        (0..)
            .zip(&self.jobs)
            .filter(move |(number, _)| self.plan.part(*number) == Some(part))
    }

    fn job(&mut self, number: u64) -> Option<&mut Record> {
        let record = usize::try_from(number).ok();
        let record = record.and_then(|number| self.jobs.get_mut(number));
        if record.is_none() {
            self.strays += 1;
        }
        record
    }

    pub(super) fn ended(&mut self, number: u64, name: &str, denies_start: bool) {
        if let Some(job) = self.job(number) {
            job.outcomes.push(Outcome {
                name: name.to_owned(),
                denies_start,
            });
        }
    }

    pub(super) fn started(&mut self, number: u64, attempt: u8) {
        if let Some(job) = self.job(number) {
            job.attempts.push(attempt);
        }
    }

    /// Reads what a client wrote down.
    pub(super) fn read_outcomes(&mut self, path: &Path) -> io::Result<()> {
        read(path, |[number, name, started]| {
            self.ended(number.parse().ok()?, name, started == "no");
            Some(())
        })
    }

    /// Reads what a worker wrote down. Returns how many jobs it started in each part.
    pub(super) fn read_executions(&mut self, path: &Path) -> io::Result<[u64; 3]> {
        let mut counts = [0; 3];
        read(path, |[number, attempt]| {
            let number = number.parse().ok()?;
            self.started(number, attempt.parse().ok()?);
            let part = self.plan.part(number);
            if let Some(place) = Part::ALL.into_iter().position(|each| Some(each) == part) {
                counts[place] += 1;
            }
            Some(())
        })?;
        Ok(counts)
    }
}

/// Reads a file of lines with so many words each.
fn read<const WORDS: usize>(
    path: &Path,
    mut take: impl FnMut([&str; WORDS]) -> Option<()>,
) -> io::Result<()> {
    for line in BufReader::new(File::open(path)?).lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let taken = <[&str; WORDS]>::try_from(words).ok().and_then(&mut take);
        taken.ok_or_else(|| io::Error::other(format!("{}: {line:?}", path.display())))?;
    }
    Ok(())
}
