//! The Rust client of a run. `client.py` does the same with threads and with asyncio.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use powerhose::{Client, ExecuteError, Started};
use tokio::task::JoinSet;

use super::payload;
use crate::role_process::tell;

/// Jobs of a client that are under way at the same time.
const IN_FLIGHT: usize = 32;

/// How long a job may take: longer than a master is away.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Outcomes after which the starter is told of them.
const TELL_EVERY: u64 = 100;

/// How long the end of a client may take, which has no jobs by then.
const GRACE: Duration = Duration::from_secs(10);

/// What a client process is told, in this order and in any language.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Where the master listens.
    endpoint: String,
    /// The file that gets a line `JOB OUTCOME STARTED` after each job.
    outcomes: PathBuf,
}

/// Has jobs done: for each line `FIRST COUNT` on standard input so many, until that ends. Writes a number to standard output whenever
/// further jobs have ended, and `done`.
///
/// # Errors
/// What the system says, and of lines that are none.
pub fn run(arguments: &Arguments) -> io::Result<()> {
    let file = File::create_new(&arguments.outcomes)?;
    let outcomes = Arc::new(Mutex::new(Outcomes {
        file: BufWriter::new(file),
        left: 0,
        untold: 0,
    }));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let client = Client::connect(&arguments.endpoint).map_err(io::Error::other)?;
    for line in io::stdin().lines() {
        let numbers = part(&line?)?;
        lock(&outcomes).left = numbers.end - numbers.start;
        runtime.block_on(execute_all(&client, numbers, &outcomes))?;
        tell("done")?;
    }
    client.close_blocking(GRACE);
    Ok(())
}

fn part(line: &str) -> io::Result<Range<u64>> {
    let numbers = line.split_once(' ');
    let numbers = numbers.and_then(|(first, count)| {
        let first = first.parse().ok()?;
        Some(first..count.parse::<u64>().ok()?.checked_add(first)?)
    });
    numbers.ok_or_else(|| io::Error::other(format!("{line:?} is not FIRST COUNT")))
}

async fn execute_all(
    client: &Client,
    numbers: Range<u64>,
    outcomes: &Arc<Mutex<Outcomes>>,
) -> io::Result<()> {
    let numbers = Arc::new(Mutex::new(numbers));
    let mut callers: JoinSet<io::Result<()>> = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (client, numbers) = (client.clone(), Arc::clone(&numbers));
        let outcomes = Arc::clone(outcomes);
        callers.spawn(async move {
            let next = || lock(&numbers).next();
            while let Some(number) = next() {
                let body = payload::payload(number);
                let right = payload::answer(&body);
                let mut job = client.job(body).timeout(TIMEOUT);
                if payload::is_at_most_once(number) {
                    job = job.at_most_once();
                }
                let result = job.execute().await.map(|answer| answer == right);
                lock(&outcomes).ended(number, &result)?;
            }
            Ok(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where it is written down how jobs ended.
struct Outcomes {
    file: BufWriter<File>,
    /// Jobs that have not ended.
    left: u64,
    /// Jobs that the starter has not been told of.
    untold: u64,
}

impl Outcomes {
    fn ended(&mut self, number: u64, result: &Result<bool, ExecuteError>) -> io::Result<()> {
        let (outcome, started) = match result {
            Ok(true) => ("ok", Started::Finished),
            Ok(false) => ("wrong", Started::Finished),
            Err(error) => (error.code(), error.started()),
        };
        let started = match started {
            Started::No => "no",
            Started::Maybe => "maybe",
            Started::Finished => "finished",
        };
        writeln!(self.file, "{number} {outcome} {started}")?;
        self.untold += 1;
        self.left -= 1;
        if self.untold >= TELL_EVERY || self.left == 0 {
            self.file.flush()?;
            tell(&std::mem::take(&mut self.untold).to_string())?;
        }
        Ok(())
    }
}
