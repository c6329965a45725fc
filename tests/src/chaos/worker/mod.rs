//! The workers of a run: good ones, and one of each bad kind.

mod bad;
mod bare;
mod good;

use std::error::Error;
use std::time::Duration;

use clap::ValueEnum;
use powerhose::master::WorkerSnapshot;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::ground::Ground;
use super::journal::Journal;

/// The service that only workers offer which are to be killed and stopped. Everybody offers the default one.
pub const STEADY: &str = "steady";

/// How long a bad worker keeps a session in which it owes an answer. The master has set it aside long before; it registers again
/// to do harm again.
const REJOIN_AFTER: Duration = Duration::from_secs(1);

/// What a worker is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Does what it is told.
    Good,
    /// The same, but takes its jobs at a socket of its own.
    GoodBound,
    /// Does what it is told, until its handler calls `abort`, about once a second.
    Aborting,
    /// Never answers a job.
    Mute,
    /// Answers with what is no message, and with results of jobs that it was not given.
    Garbling,
    /// Answers each job twice, the second time with a lie.
    Doubling,
}

impl Kind {
    /// Those of which a run has one each.
    pub const BAD: [Self; 4] = [Self::Aborting, Self::Mute, Self::Garbling, Self::Doubling];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::GoodBound => "good-bound",
            Self::Aborting => "aborting",
            Self::Mute => "mute",
            Self::Garbling => "garbling",
            Self::Doubling => "doubling",
        }
    }
}

/// Whether a worker is one of the good ones.
pub fn is_good(worker: &WorkerSnapshot) -> bool {
    worker.services.iter().any(|service| service == STEADY)
}

/// Is a worker until told to end.
///
/// # Errors
/// Why the worker could not go on.
pub fn run(kind: Kind, ground: &Ground) -> Result<u8, Box<dyn Error>> {
    if kind == Kind::Aborting {
        // Nobody looks at what it dumps.
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        setrlimit(Resource::Core, none)?;
    }
    let pid = std::process::id();
    let path = ground.executions().join(format!("{}-{pid}", kind.name()));
    let journal = Journal::open(&path)?;
    match kind {
        Kind::Good => good::run(good::steady(ground), journal, None),
        Kind::GoodBound => good::run(
            good::steady(ground).bind(ground.own_endpoint()),
            journal,
            None,
        ),
        Kind::Aborting => good::run(good::worker(ground), journal, Some(good::end())),
        Kind::Mute => bare::run(ground, &journal, bad::mute),
        Kind::Garbling => bare::run(ground, &journal, bad::garbage),
        Kind::Doubling => bare::run(ground, &journal, bad::twice),
    }
}
