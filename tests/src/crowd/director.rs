//! The process that a person starts.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use powerhose::{Client, Report};

use super::load;
use super::verdict::{Evidence, Summary, complaints};
use crate::role_process::RoleProcess;
use crate::standalone_process::frontend;

/// How long a worker takes for a job: long enough for some to be under way wherever a process is killed.
pub const WORK: Duration = Duration::from_millis(100);

/// How long all workers may take to register, or to be missed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the master is asked. The answer is the same for 100 ms.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// What a person asks for.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many workers there are.
    pub workers: usize,
    /// In how many processes, of which one is killed.
    pub processes: usize,
    /// How long jobs are handed in, in seconds.
    pub seconds: u32,
    /// How many jobs are handed in each second.
    pub rate: u32,
}

/// Has a run. Returns what it came to and what of that must not be.
///
/// # Errors
/// Why it could not be brought to its end.
pub fn run(settings: Settings) -> io::Result<(Summary, Vec<String>)> {
    let folder = tempfile::Builder::new().prefix("crowd-").tempdir()?;
    let place = folder.path();
    let bar = progress(settings);
    let lines = [
        ("--workers".to_owned(), settings.workers.to_string()),
        ("--folder".to_owned(), text(place)?),
    ];
    let master = RoleProcess::start("master", lines.iter().flat_map(|(a, b)| [a, b]))?;
    master.line()?;
    let empty = master.usage()?;

    let began = Instant::now();
    let mut workers = start_workers(settings, place)?;
    let before = wait_for_workers(place, settings.workers)?;
    let registered = began.elapsed();
    let idle = master.usage()?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()?;
    let client = Client::connect(frontend(place)).map_err(io::Error::other)?;
    let submitted = Arc::new(AtomicU64::new(0));
    let lasting = Duration::from_secs(settings.seconds.into());
    let load = runtime.spawn(load::run(
        client.clone(),
        settings.rate,
        lasting,
        Arc::clone(&submitted),
    ));
    let half = u64::from(settings.rate) * u64::from(settings.seconds) / 2;
    while submitted.load(Ordering::Relaxed) < half && !load.is_finished() {
        bar.set_position(submitted.load(Ordering::Relaxed));
        thread::sleep(ASK_EVERY);
    }
    let busiest = busiest(&ask(place)?, &workers);
    let victim = workers.remove(busiest);
    let (pid, killed) = (victim.id(), share(settings, busiest));
    bar.set_message(format!("killed {killed} workers"));
    victim.kill()?;
    let at = Instant::now();
    wait_for_workers(place, settings.workers - killed)?;
    let noticed = at.elapsed();
    while !load.is_finished() {
        bar.set_position(submitted.load(Ordering::Relaxed));
        thread::sleep(ASK_EVERY);
    }
    let jobs = runtime.block_on(load)?;
    let end = master.usage()?;
    let workers_process = (workers.iter().map(RoleProcess::usage))
        .collect::<io::Result<Vec<_>>>()?
        .into_iter()
        .max_by_key(|usage| usage.rss_kib)
        .unwrap_or_default();
    // The client's last replies are sent when it has them, and the report is as old as 100 ms.
    thread::sleep(2 * ASK_EVERY);
    let after = ask(place)?;
    client.close_blocking(PATIENCE);
    for process in workers {
        process.end()?;
    }
    master.end()?;
    bar.finish_and_clear();

    let summary = Summary {
        workers: settings.workers,
        processes: settings.processes,
        seconds: settings.seconds,
        rate: settings.rate,
        registered_ms: milliseconds(registered),
        killed,
        noticed_ms: milliseconds(noticed),
        redispatched: (after.counters.get("redispatched").copied()).unwrap_or_default(),
        rss_per_worker_kib: idle.rss_kib.saturating_sub(empty.rss_kib) as f64
            / settings.workers as f64,
        jobs,
        master: [empty, idle, end],
        workers_process,
    };
    let complaints = complaints(&Evidence {
        summary: &summary,
        killed: pid,
        before: &before,
        after: &after,
    });
    Ok((summary, complaints))
}

/// How many workers a process has.
fn share(settings: Settings, process: usize) -> usize {
    let more = usize::from(process < settings.workers % settings.processes);
    settings.workers / settings.processes + more
}

/// The place of the process whose workers have most jobs: there is more to be lost.
fn busiest(report: &Report, processes: &[RoleProcess]) -> usize {
    let jobs = |process: &RoleProcess| -> usize {
        (report.workers.iter())
            .filter(|worker| worker.pid == process.id())
            .map(|worker| worker.in_flight)
            .sum()
    };
    (0..processes.len())
        .max_by_key(|place| jobs(&processes[*place]))
        .unwrap_or_default()
}

fn start_workers(settings: Settings, folder: &Path) -> io::Result<Vec<RoleProcess>> {
    (0..settings.processes)
        .map(|process| {
            RoleProcess::start(
                "workers",
                [
                    "--count".to_owned(),
                    share(settings, process).to_string(),
                    "--folder".to_owned(),
                    text(folder)?,
                ],
            )
        })
        .collect()
}

/// Waits until the master has exactly so many workers.
fn wait_for_workers(folder: &Path, count: usize) -> io::Result<Report> {
    let until = Instant::now() + PATIENCE;
    loop {
        let report = ask(folder)?;
        if report.workers.len() == count {
            return Ok(report);
        }
        if Instant::now() > until {
            let found = report.workers.len();
            return Err(io::Error::other(format!(
                "the master has {found} workers after {PATIENCE:?}, not {count}"
            )));
        }
        thread::sleep(ASK_EVERY);
    }
}

fn ask(folder: &Path) -> io::Result<Report> {
    Report::ask(&frontend(folder), PATIENCE).map_err(io::Error::other)
}

fn text(path: &Path) -> io::Result<String> {
    let path = PathBuf::from(path).into_os_string().into_string();
    path.map_err(|path| io::Error::other(format!("{path:?} is no text")))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn progress(settings: Settings) -> ProgressBar {
    let bar = ProgressBar::new(u64::from(settings.rate) * u64::from(settings.seconds));
    // The template is a constant; were it wrong, the default style would do.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} % {msg}") {
        bar.set_style(style);
    }
    bar.set_message("waiting for the workers");
    bar
}
