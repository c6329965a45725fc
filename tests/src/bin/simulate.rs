//! Runs the cores through virtual worlds in which everything goes wrong that can.

#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use tests::simulation::{Campaign, Failure, Progress, Report, tell};

/// Below this number of seeds nobody can ask that every transition and every kind of fault occurs.
const ENOUGH: u64 = 20_000;

/// Runs the cores through virtual worlds in which everything goes wrong that can.
///
/// Each seed is one run of 500 jobs or more, with all that happens in it. Prints what was done; the exit status is 70 if anything
/// was found that must not be, or if 20,000 seeds or more left out a kind of fault or a transition of protocol.md's state tables.
#[derive(Parser)]
#[command(name = "simulate")]
struct Cli {
    /// How many seeds to run.
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// Runs this one alone and tells everything that happens.
    #[arg(long, conflicts_with_all = ["seeds", "start"])]
    seed: Option<u64>,
    /// Prints one line of JSON instead of text for people.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // A panic of a core is a finding like any other; it is told with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    let sound = match cli.seed {
        Some(seed) => one(seed),
        None => many(&cli),
    };
    match sound {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(70),
        Err(error) => {
            eprintln!("simulate: {error}");
            ExitCode::from(74)
        }
    }
}

fn one(seed: u64) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let (result, trace) = tell(seed);
    for line in trace {
        writeln!(out, "{line}")?;
    }
    match &result {
        Ok(report) => writeln!(out, "seed {seed}: {} jobs, nothing wrong", report.jobs)?,
        Err(failure) => writeln!(out, "seed {seed}: {}", failure.what)?,
    }
    Ok(result.is_ok())
}

fn many(cli: &Cli) -> io::Result<bool> {
    let campaign = Campaign {
        seeds: cli.start..cli.start.saturating_add(cli.seeds),
    };
    let progress = Progress::default();
    let start = Instant::now();
    let result = watched(&campaign, &progress, cli.seeds);
    let took = start.elapsed();
    match result {
        Ok(report) => {
            let left_out = if cli.seeds >= ENOUGH {
                report.left_out()
            } else {
                Vec::new()
            };
            print(cli, &report, took, &left_out)?;
            Ok(left_out.is_empty())
        }
        Err(failure) => {
            fail(cli, &failure)?;
            Ok(false)
        }
    }
}

/// Runs a campaign with a progress bar, which is not shown where nobody would see it.
fn watched(campaign: &Campaign, progress: &Progress, seeds: u64) -> Result<Report, Failure> {
    let bar = ProgressBar::new(seeds);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {msg} jobs, {eta} left")
    {
        bar.set_style(style);
    }
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let bar = &bar;
        scope.spawn(move || {
            while is_done.recv_timeout(Duration::from_millis(200))
                == Err(mpsc::RecvTimeoutError::Timeout)
            {
                bar.set_position(progress.runs());
                bar.set_message(progress.jobs().to_string());
            }
            bar.finish_and_clear();
        });
        let result = campaign.run(progress);
        drop(done);
        result
    })
}

fn fail(cli: &Cli, failure: &Failure) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if cli.json {
        let line = serde_json::json!({ "seed": failure.seed, "violation": failure.what });
        return writeln!(out, "{line}");
    }
    writeln!(out, "{failure}")?;
    writeln!(out, "simulate --seed {} tells all of it", failure.seed)
}

fn print(cli: &Cli, report: &Report, took: Duration, left_out: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let transitions = report.coverage.iter().count();
    let missing = report.coverage.missing();
    if cli.json {
        let faults: serde_json::Map<_, _> = (report.faults.iter())
            .map(|(fault, count)| (fault.name().to_owned(), count.into()))
            .collect();
        let outcomes: serde_json::Map<_, _> = (report.outcomes.iter())
            .map(|(code, count)| (code.to_owned(), count.into()))
            .collect();
        let line = serde_json::json!({
            "seeds": cli.seeds,
            "start": cli.start,
            "jobs": report.jobs,
            "violations": 0,
            "seconds": took.as_secs_f64(),
            "virtual_hours": report.virtual_time.as_secs_f64() / 3600.0,
            "executions": report.executions,
            "steps_checked": report.steps,
            "outcomes": outcomes,
            "faults": faults,
            "transitions": { "known": transitions, "gone_through": transitions - missing.len() },
            "left_out": left_out,
        });
        return writeln!(out, "{line}");
    }
    let hours = report.virtual_time.as_secs() / 3600;
    let rate = report.jobs as f64 / took.as_secs_f64();
    writeln!(
        out,
        "{} seeds, {} jobs, {hours} virtual hours, {} steps checked, no violation; {:.0} s, {rate:.0} jobs/s",
        cli.seeds,
        report.jobs,
        report.steps,
        took.as_secs_f64(),
    )?;
    let outcomes: Vec<String> = (report.outcomes.iter())
        .map(|(code, count)| format!("{code} {count}"))
        .collect();
    writeln!(out, "outcomes: {}", outcomes.join(", "))?;
    writeln!(out, "faults: {}", report.faults)?;
    writeln!(
        out,
        "state tables of protocol.md: {} of {transitions} transitions",
        transitions - missing.len()
    )?;
    if !missing.is_empty() {
        writeln!(out, "not gone through: {}", missing.join(", "))?;
    }
    if !left_out.is_empty() {
        writeln!(out, "left out, which is a failure: {}", left_out.join(", "))?;
    }
    Ok(())
}
