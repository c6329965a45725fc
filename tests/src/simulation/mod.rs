//! A virtual world around the cores: the master and the sessions of workers run in it as they do in earnest, with virtual
//! time and a virtual network, and everything that can go wrong does.
//!
//! A seed stands for a whole run: settings, workers, jobs, faults, and when each of them happens. Running it again gives the
//! same, event by event, so a seed that fails is all that is needed to find out why.
//!
//! # What is checked
//! After every event that a master is given:
//! - A job has one outcome, or none if its caller went away, and not after its deadline.
//! - Handlers are started no more often than the job allows, and never after its caller was told that none had.
//! - A result comes from a handler that came to its end, and is that of this payload.
//! - A worker has no more jobs than slots and what may be sent ahead; no handler shares a slot; a suspect is alone.
//! - Nothing is sent behind a busy worker while another one has a free slot, or to one that takes no work.
//! - The queue keeps its bounds.
//! - No worker is dropped for silence that was the master's own.
//! - Each transition of protocol.md's tables leads where they say.
//! - The tables of the core agree with each other ([`check_invariants`](powerhose::master::Master::check_invariants)).
//!
//! When faults stop, everything comes to its end within bounded time: each caller has its outcome, each worker is back, idle
//! and known, and nothing is left in the master's tables. Neither core asks to be woken without end.

mod agenda;
mod callers;
mod campaign;
mod chaos;
mod coverage;
mod faults;
mod ledger;
mod network;
mod post;
mod process;
mod report;
pub mod reproductions;
mod rows;
mod scenario;
mod shadow;
mod stray;
mod throne;
mod watch;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use campaign::{Campaign, Progress};
pub use coverage::Coverage;
pub use faults::{Fault, Tally};
pub use report::{Outcomes, Report};
use world::World;

/// How many of the latest things that happened a failure tells.
const LAST: usize = 80;

/// What a run was found to do that it must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The seed, with which it does so again.
    pub seed: u64,
    /// What was found.
    pub what: String,
    /// What happened before, the latest last.
    pub trace: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        write!(f, "seed {}: {}", self.seed, self.what)
    }
}

/// Runs what the seed stands for.
///
/// # Errors
/// What must not be, with what happened before.
pub fn run(seed: u64) -> Result<Report, Failure> {
    attempt(seed, None).or_else(|_| attempt(seed, Some(LAST)))
}

/// The same, and tells everything that happened even if nothing is wrong.
pub fn tell(seed: u64) -> (Result<Report, Failure>, Vec<String>) {
    let mut world = World::new(seed, Some(usize::MAX));
    let result = finish(seed, &mut world);
    let trace = result
        .as_ref()
        .map_or_else(|failure| failure.trace.clone(), |_| world.told());
    (result, trace)
}

fn attempt(seed: u64, traced: Option<usize>) -> Result<Report, Failure> {
    finish(seed, &mut World::new(seed, traced))
}

fn finish(seed: u64, world: &mut World) -> Result<Report, Failure> {
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let what = match result {
        Ok(Ok(())) => return Ok(world.report()),
        Ok(Err(what)) => what,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            format!("panic: {}", text.unwrap_or("of no known kind"))
        }
    };
    Err(Failure {
        seed,
        what,
        trace: world.told(),
    })
}
