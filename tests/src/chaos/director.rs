//! The process that a person starts: keeps the workers, gives them one service after the other, judges what all of them left.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::evidence::{Ending, Evidence};
use super::ground::Ground;
use super::pool::Pool;
use super::progress::Progress;
use super::service;
use super::service_process::ServiceProcess;
use super::verdict::{Summary, violations};
use super::worker::Kind;

/// How long a service lives, roughly, and the fewest lives of a run, so that more than one of them ends by a kill.
const LIFE_SECONDS: u32 = 8;
const FEWEST_LIVES: u32 = 3;

/// What a person asks for.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many seconds there shall be a load, over all lives of the service.
    pub seconds: u32,
    /// Decides who is hurt when.
    pub seed: u64,
    /// How many good workers there are.
    pub workers: usize,
}

/// What came of a run.
#[derive(Debug)]
pub struct Finding {
    /// The run in one line.
    pub summary: Summary,
    /// What was promised and not kept.
    pub violations: Vec<String>,
    /// Where everything is that the processes wrote down, if a promise was not kept.
    pub kept: Option<PathBuf>,
}

/// Has a run.
///
/// # Errors
/// Why it could not be brought to its end, and where everything is that the processes wrote down.
pub fn run(settings: Settings) -> io::Result<Finding> {
    let folder = tempfile::Builder::new().prefix("chaos-").tempdir()?;
    let ground = Ground::new(folder.path());
    let found = direct(&ground, settings).and_then(|(lives, forced)| {
        let evidence = Evidence::gather(&ground, lives)?;
        let mut violations = violations(&evidence);
        if forced > 0 {
            violations.push(format!("{forced} workers did not leave when told to"));
        }
        let summary = Summary::new(&evidence, settings.seconds, settings.seed);
        Ok((summary, violations))
    });
    match found {
        Ok((summary, violations)) => Ok(Finding {
            summary,
            kept: (!violations.is_empty()).then(|| folder.keep()),
            violations,
        }),
        Err(error) => {
            let kept = folder.keep();
            Err(io::Error::other(format!("{error}; see {}", kept.display())))
        }
    }
}

/// Has the run itself. Returns how each life ended and how many workers had to be forced to leave.
fn direct(ground: &Ground, settings: Settings) -> io::Result<(BTreeMap<u32, Ending>, usize)> {
    ground.prepare()?;
    let program = std::env::current_exe()?;
    let pool = Pool::start(&program, ground, settings.workers)?;
    let lives = live(&program, ground, settings, &pool)?;
    Ok((lives, pool.stop()))
}

/// Gives the workers one service after the other. All but the last are killed, in the middle of a wave.
fn live(
    program: &Path,
    ground: &Ground,
    settings: Settings,
    pool: &Pool,
) -> io::Result<BTreeMap<u32, Ending>> {
    let load = Duration::from_secs(settings.seconds.into());
    let count = FEWEST_LIVES.max(settings.seconds / LIFE_SECONDS);
    let waves = (settings.seconds / count).max(1);
    let killed_after = service::WAVE_EVERY * waves + service::WAVE / 2;
    let mut random = StdRng::seed_from_u64(settings.seed);
    let mut progress = Progress::new(load);
    let mut lives = BTreeMap::new();
    for life in 1..=count {
        let service = service::Settings {
            life,
            seed: random.random(),
            workers: settings.workers + Kind::BAD.len(),
        };
        let mut service = ServiceProcess::start(program, ground, &service)?;
        let began = Instant::now();
        let span = if life < count {
            killed_after
        } else {
            load.saturating_sub(killed_after * (count - 1))
        };
        while began.elapsed() < span {
            progress.show(life, began.elapsed(), service.hear()?);
        }
        let ending = if life < count {
            let ending = Ending::Killed(service.kill()?);
            pool.wake();
            ending
        } else {
            Ending::InOrder(service.end()?)
        };
        progress.pass(began.elapsed(), ending.report());
        lives.insert(life, ending);
    }
    Ok(lives)
}
