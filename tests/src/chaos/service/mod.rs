//! A service of a run: the process that holds the [`JobRunner`], makes the load and does harm.
//!
//! Its standard output has a [`Report`] on each line, the first one when all workers are there. It ends in order when its standard
//! input closes, which also happens when the director dies.

mod faults;
mod load;

use std::error::Error;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use powerhose::JobRunner;
use powerhose::master::Counters;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::ground::Ground;
use super::journal::Journal;

pub use load::{IN_FLIGHT, WAVE, WAVE_EVERY};

/// How long the workers may take to be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the jobs under way may take when the service ends in order.
const GRACE: Duration = Duration::from_secs(20);

/// How often the service reports.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// Which service this is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The number of the life, from 1.
    pub life: u32,
    /// Decides what is done when. What comes of it is up to the scheduler.
    pub seed: u64,
    /// How many workers are to come before anything begins.
    pub workers: usize,
}

/// How far a service is.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Report {
    /// How long the workers took to be there.
    pub gathered: Duration,
    /// What the runner has counted.
    pub counted: Counted,
    /// For how long the service is about to stop itself.
    pub pause: Option<Duration>,
    /// Whether this is the last report, of a runner that has shut down.
    pub last: bool,
}

/// Those of the runner's [`Counters`] that the journal must agree with, or that are worth to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counted {
    /// Jobs handed in.
    pub submitted: u64,
    /// Jobs that ended with a result.
    pub completed: u64,
    /// Jobs that ended with an error.
    pub failed: u64,
    /// Jobs whose callers went away first.
    pub cancelled: u64,
    /// Attempts after a job's first one.
    pub redispatched: u64,
    /// Times at which the process had been stopped for a while.
    pub pauses: u64,
}

impl From<Counters> for Counted {
    fn from(counters: Counters) -> Self {
        Self {
            submitted: counters.submitted,
            completed: counters.completed,
            failed: counters.failed,
            cancelled: counters.cancelled,
            redispatched: counters.redispatched,
            pauses: counters.pauses,
        }
    }
}

/// What the parts of a service share.
#[derive(Debug)]
struct Shared {
    runner: JobRunner,
    journal: Journal,
    settings: Settings,
    gathered: Duration,
    over: AtomicBool,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn report(&self, runtime: &Handle, pause: Option<Duration>) -> io::Result<()> {
        self.say(runtime, pause, false)
    }

    fn report_last(&self, runtime: &Handle) -> io::Result<()> {
        self.say(runtime, None, true)
    }

    fn say(&self, runtime: &Handle, pause: Option<Duration>, last: bool) -> io::Result<()> {
        let report = Report {
            gathered: self.gathered,
            counted: runtime.block_on(self.runner.stats()).counters.into(),
            pause,
            last,
        };
        let mut line = serde_json::to_vec(&report)?;
        line.push(b'\n');
        io::stdout().write_all(&line)
    }
}

/// Is a service until standard input closes.
///
/// # Errors
/// Why the service could not begin, go on or end.
pub fn run(ground: &Ground, settings: Settings) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()?;
    let runner = JobRunner::builder()
        .bind(ground.endpoint())
        .heartbeat(Duration::from_millis(250), 4)
        .start()?;
    let began = Instant::now();
    runner.wait_for_workers_blocking(settings.workers, PATIENCE)?;
    let shared = Arc::new(Shared {
        journal: Journal::open(&ground.journal(settings.life))?,
        runner,
        settings,
        gathered: began.elapsed(),
        over: AtomicBool::new(false),
    });
    watch_input(Arc::clone(&shared));

    let faults = faults::start(&shared, runtime.handle())?;
    let load = runtime.spawn(load::run(Arc::clone(&shared)));
    while !shared.is_over() {
        shared.report(runtime.handle(), None)?;
        thread::sleep(REPORT_EVERY);
    }
    for fault in faults {
        fault
            .join()
            .map_err(|_| "a thread that makes faults panicked")??;
    }
    runtime.block_on(load)??;
    shared.runner.shutdown_blocking(GRACE);
    shared.report_last(runtime.handle())?;
    Ok(())
}

/// Ends load and faults when standard input closes.
fn watch_input(shared: Arc<Shared>) {
    thread::spawn(move || {
        // Nothing is ever written there; an error is an end as well.
        let _ = io::stdin().read(&mut [0]);
        shared.over.store(true, Ordering::Relaxed);
    });
}
