//! The process that a person starts.

use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use powerhose::Report;

use super::clients::Tally;
use super::verdict::{Growth, Summary};
use crate::role_process::RoleProcess;
use crate::standalone_process::frontend;
use crate::usage::Usage;

/// Workers that stay, and workers of each process that comes and goes.
const STAYING: usize = 20;
const PASSING: usize = 10;

/// How long a job takes.
pub const WORK: Duration = Duration::from_millis(2);

/// How often the processes are measured. At every second time the passing workers go and others come.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// How long the master may take to forget everything at the end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Has a run.
///
/// # Errors
/// Why it could not be brought to its end, or what was left in the master.
pub fn run(lasting: Duration) -> io::Result<Summary> {
    let folder = tempfile::Builder::new().prefix("soak-").tempdir()?;
    let place = folder.path();
    let master = start("master", place, None)?;
    master.line()?;
    let workers = start("workers", place, Some(STAYING))?;
    let clients = start("clients", place, None)?;
    let mut jobs: Tally = serde_json::from_str(&clients.line()?)?;

    let bar = progress(lasting);
    let mut samples: [Vec<Usage>; 3] = Default::default();
    let (mut killed, mut drained) = (0, 0);
    let mut passing = start("workers", place, Some(PASSING))?;
    let began = Instant::now();
    for round in 1.. {
        thread::sleep(MEASURE_EVERY);
        for (process, samples) in [&master, &clients, &workers].into_iter().zip(&mut samples) {
            samples.push(process.usage()?);
        }
        jobs = serde_json::from_str(&clients.line()?)?;
        bar.set_position(began.elapsed().as_secs());
        bar.set_message(format!("{} jobs", jobs.begun));
        if began.elapsed() >= lasting {
            break;
        }
        match round % 4 {
            0 => {
                passing.kill()?;
                killed += 1;
            }
            2 => {
                passing.end()?;
                drained += 1;
            }
            _ => continue,
        }
        passing = start("workers", place, Some(PASSING))?;
    }
    if let Some(last) = clients.end()? {
        jobs = serde_json::from_str(&last)?;
    }
    passing.end()?;
    wait_until_forgotten(place)?;
    workers.end()?;
    master.end()?;
    bar.finish_and_clear();
    let [master, clients, workers] = samples.map(|samples| Growth::new(&samples));
    Ok(Summary {
        seconds: began.elapsed().as_secs(),
        jobs,
        workers_killed: killed,
        workers_drained: drained,
        master,
        clients,
        workers,
    })
}

fn start(role: &str, folder: &Path, count: Option<usize>) -> io::Result<RoleProcess> {
    let mut arguments = vec!["--folder".into(), folder.as_os_str().to_owned()];
    if let Some(count) = count {
        arguments.extend(["--count".into(), count.to_string().into()]);
    }
    RoleProcess::start(role, arguments)
}

/// Waits until nothing is left in the master but the workers that stay.
fn wait_until_forgotten(folder: &Path) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let report = Report::ask(&frontend(folder), PATIENCE).map_err(io::Error::other)?;
        let left = (report.jobs, report.clients.len(), report.workers.len());
        if left == (0, 0, STAYING) {
            return Ok(());
        }
        if Instant::now() > until {
            let (jobs, clients, workers) = left;
            return Err(io::Error::other(format!(
                "{jobs} jobs, {clients} clients and {workers} workers are left in the master"
            )));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn progress(lasting: Duration) -> ProgressBar {
    let bar = ProgressBar::new(lasting.as_secs());
    // The template is a constant; were it wrong, the default style would do.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} % {eta} left, {msg}") {
        bar.set_style(style);
    }
    bar
}
