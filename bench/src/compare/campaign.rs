//! The rounds of a comparison.

use std::time::Duration;

use crate::usage;

use super::{Error, Ground, Running, Sample, System};

/// How many jobs are under way at a time.
pub const IN_FLIGHT: [usize; 3] = [1, 64, 256];

/// Where CPU time is taken: with enough under way that nobody waits.
pub const CPU_AT: usize = 64;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds in which every system has its turn.
    pub rounds: usize,
    /// How long each turn takes for each number of jobs under way.
    pub turn: Duration,
    /// How long each system runs before it is measured.
    pub warm_up: Duration,
}

impl Effort {
    /// For figures to publish: about two minutes and a half.
    pub const FULL: Self = Self {
        rounds: 5,
        turn: Duration::from_millis(1000),
        warm_up: Duration::from_millis(300),
    };

    /// Shows that everything works, and the order of magnitude.
    pub const QUICK: Self = Self {
        rounds: 3,
        turn: Duration::from_millis(100),
        warm_up: Duration::from_millis(50),
    };
}

/// One turn's figures.
#[derive(Debug, Clone)]
pub struct Turn {
    /// With so many jobs under way.
    pub in_flight: usize,
    /// What was done.
    pub sample: Sample,
    /// The CPU time of all processes for one job.
    pub cpu_per_job: Duration,
}

/// What became of a system.
#[derive(Debug)]
pub struct Contestant {
    /// Which.
    pub system: &'static System,
    /// Every turn, or why there is none.
    pub turns: Result<Vec<Turn>, String>,
}

/// Starts the systems and lets them take turns. `said` is told what is being done.
///
/// A system that fails is left out from then on; its failure is in the result.
///
/// # Errors
/// When a directory for the sockets cannot be made.
pub fn run(
    systems: &[&'static System],
    effort: Effort,
    client_threads: usize,
    mut said: impl FnMut(&str),
) -> Result<Vec<Contestant>, Error> {
    let directory = tempfile::Builder::new().prefix("compare").tempdir()?;
    let mut contestants: Vec<_> = (systems.iter())
        .map(|&system| {
            said(&format!("starting {}", system.name));
            let place = directory.path().join(system.name);
            let started = std::fs::create_dir(&place)
                .map_err(Error::from)
                .and_then(|()| {
                    (system.start)(&Ground {
                        directory: &place,
                        client_threads,
                    })
                });
            (
                system,
                started.map(|running| (running, Vec::new())).map_err(name),
            )
        })
        .collect();
    for round in 0..=effort.rounds {
        for (system, state) in &mut contestants {
            let Ok((running, turns)) = state else {
                continue;
            };
            let is_warm_up = round == 0;
            for in_flight in IN_FLIGHT {
                said(&match round {
                    0 => format!("warming up {}, {in_flight} in flight", system.name),
                    _ => format!("round {round}: {}, {in_flight} in flight", system.name),
                });
                let time = if is_warm_up {
                    effort.warm_up
                } else {
                    effort.turn
                };
                match turn(running.as_mut(), in_flight, time) {
                    Ok(_) if is_warm_up => {}
                    Ok(turn) => turns.push(turn),
                    Err(error) => {
                        *state = Err(name(error));
                        break;
                    }
                }
            }
        }
    }
    Ok((contestants.into_iter())
        .map(|(system, state)| Contestant {
            system,
            turns: state.map(|(_, turns)| turns),
        })
        .collect())
}

fn turn(running: &mut dyn Running, in_flight: usize, time: Duration) -> Result<Turn, Error> {
    let mut processes = running.processes();
    processes.push(std::process::id());
    let before = usage::cpu_time(&processes)?;
    let sample = running.run(in_flight, time)?;
    let used = usage::cpu_time(&processes)?.saturating_sub(before);
    let jobs = u32::try_from(sample.jobs.max(1))?;
    Ok(Turn {
        in_flight,
        cpu_per_job: used / jobs,
        sample,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "to be handed to map_err")]
fn name(error: Error) -> String {
    error.to_string()
}
