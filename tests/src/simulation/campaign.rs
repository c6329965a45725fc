//! Many runs, on all processors.

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Failure, Report, run};

/// The runs of a range of seeds.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The seeds.
    pub seeds: Range<u64>,
}

/// How far a campaign is.
#[derive(Debug, Default)]
pub struct Progress {
    runs: AtomicU64,
    jobs: AtomicU64,
}

impl Progress {
    /// Seeds that have been run.
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Jobs that have been handed in.
    pub fn jobs(&self) -> u64 {
        self.jobs.load(Ordering::Relaxed)
    }
}

impl Campaign {
    /// Runs every seed, or those up to the first failure.
    ///
    /// # Errors
    /// The failure of the smallest seed among those found.
    pub fn run(&self, progress: &Progress) -> Result<Report, Failure> {
        let next = AtomicU64::new(self.seeds.start);
        let failed = AtomicBool::new(false);
        let sum = Mutex::new((Report::default(), None::<Failure>));
        let work = || {
            let mut mine = Report::default();
            while !failed.load(Ordering::Relaxed) {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= self.seeds.end {
                    break;
                }
                match run(seed) {
                    Ok(report) => {
                        mine.add(&report);
                        progress.runs.fetch_add(1, Ordering::Relaxed);
                        progress.jobs.fetch_add(report.jobs, Ordering::Relaxed);
                    }
                    Err(failure) => {
                        failed.store(true, Ordering::Relaxed);
                        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                        let first = sum.1.as_ref().is_none_or(|other| failure.seed < other.seed);
                        if first {
                            sum.1 = Some(failure);
                        }
                    }
                }
            }
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            sum.0.add(&mine);
        };
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            for _ in 0..processors {
                scope.spawn(work);
            }
        });
        let (report, failure) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
        failure.map_or(Ok(report), Err)
    }
}
