//! The process that a person starts.

use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use powerhose::Report;

use super::evidence::Evidence;
use super::plan::{Part, Plan};
use super::pool::{Clients, Language, Master, Workers, ask};
use super::verdict::{Observed, Summary, WorkerSummary, complaints};

/// How long there is no master.
const OUTAGE: Duration = Duration::from_millis(500);

/// How old a master's report can be.
const REPORT_AGE: Duration = Duration::from_millis(200);

/// Has a run with so many jobs in its first part. Returns what it came to and what of that must not be.
///
/// # Errors
/// Why it could not be brought to its end.
///
/// # Panics
/// If a program that it needs cannot be built; the message says what to do.
pub fn run(jobs: u64) -> io::Result<(Summary, Vec<String>)> {
    let folder = tempfile::Builder::new().prefix("mixed-").tempdir()?;
    let place = folder.path();
    let plan = Plan::new(jobs);
    let bar = progress(plan.total());
    let mut master = Master::start(place)?;
    let mut workers = Workers::start(place)?;
    let mut clients = Clients::start(place)?;
    let pids = clients.pids();

    let mut seconds = [0.0; 3];
    let mut first_master = None;
    for (part, seconds) in Part::ALL.into_iter().zip(&mut seconds) {
        bar.set_message(part.name());
        let began = Instant::now();
        let count = plan.jobs(part).end - plan.jobs(part).start;
        let tell = |ended| bar.inc(ended);
        clients.begin(plan, part)?;
        match part {
            Part::Steady => {}
            Part::WorkersKilled => {
                for (number, language) in (1..).zip(Language::ALL) {
                    clients.follow(count * number / 5, tell)?;
                    workers.kill(language)?;
                    bar.set_message(format!("killed a {} worker", language.name()));
                }
            }
            Part::MasterKilled => {
                clients.follow(count * 2 / 5, tell)?;
                master.kill()?;
                bar.set_message("killed the master");
                thread::sleep(OUTAGE);
                master = Master::start(place)?;
                bar.set_message("started the master again");
            }
        }
        clients.finish(tell)?;
        *seconds = began.elapsed().as_secs_f64();
        if part == Part::WorkersKilled {
            first_master = Some(settled(&workers, place)?);
        }
    }
    let second_master = settled(&workers, place)?;
    let outcomes = clients.end()?;
    workers.end()?;
    master.end()?;
    bar.finish_and_clear();

    let mut evidence = Evidence::new(plan);
    for path in outcomes {
        evidence.read_outcomes(&path)?;
    }
    let workers = (workers.0.iter())
        .map(|worker| {
            Ok(WorkerSummary {
                language: worker.language,
                pid: worker.pid,
                is_killed: worker.is_killed,
                executions: evidence.read_executions(&worker.executions)?,
            })
        })
        .collect::<io::Result<Vec<_>>>()?;
    let observed = Observed {
        evidence,
        clients: pids,
        first_master: first_master.ok_or(io::ErrorKind::NotFound)?,
        second_master,
    };
    let summary = Summary::new(&observed, workers, seconds);
    let complaints = complaints(&observed, &summary);
    Ok((summary, complaints))
}

/// What the master says once it has noticed everything.
fn settled(workers: &Workers, place: &Path) -> io::Result<Report> {
    workers.wait_until_known(place)?;
    // Its counters are as old as this.
    thread::sleep(REPORT_AGE);
    ask(place)
}

fn progress(jobs: u64) -> ProgressBar {
    let bar = ProgressBar::new(jobs);
    // The template is a constant; were it wrong, the default style would do.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} % {msg}") {
        bar.set_style(style);
    }
    bar.set_message("waiting for the workers");
    bar
}
