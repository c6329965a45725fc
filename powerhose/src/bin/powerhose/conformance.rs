use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use powerhose::conformance::{self, CHECKS, Check, Outcome, Report, Settings, Verdict};
use sysexits::ExitCode;

use crate::{failure::Failure, output};

/// Test a worker in any language against every clause of the protocol
///
/// Plays an adversarial master: it starts the worker anew for each check and says what was expected and what came where the
/// worker errs.
///
/// The worker offers two services. `echo` answers each job with its body. `conformance` answers `echo TEXT` with TEXT, `sleep N` with
/// `slept` after N milliseconds, `large N` with N bytes, and fails on `fail TEXT` with TEXT as the message.
///
/// Exits with 0 if no check failed, 1 otherwise.
#[derive(Args)]
pub(crate) struct Conformance {
    /// The worker's command line; {endpoint} is replaced by where to connect, {socket} by a path for a socket of its own
    ///
    /// The endpoint is in the environment too, as POWERHOSE_CONNECT. The shell runs the command in place of itself.
    #[arg(long, value_name = "CMD", required_unless_present = "list")]
    worker: Option<String>,

    /// Do this check alone; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// How long the worker may take for anything that it owes
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    patience: Duration,

    /// How many checks to do at a time, each with a worker of its own; most of their time they wait
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    jobs: u8,

    /// Say which checks there are, and which clause each is about
    #[arg(long)]
    list: bool,

    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Conformance {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let checks = self.chosen()?;
        if self.list {
            return list(&checks, self.json);
        }
        let settings = Settings {
            command: self.worker.unwrap_or_default(),
            patience: self.patience,
        };
        let progress = ProgressBar::new(checks.len() as u64);
        if !io::stderr().is_terminal() {
            progress.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
            progress.set_style(style);
        }
        let verdicts = at_a_time(self.jobs.into(), &checks, &settings, |verdict| {
            if !self.json {
                progress.suspend(|| output::text(&line(verdict)))?;
            }
            progress.set_message(verdict.check);
            progress.inc(1);
            Ok(())
        })?;
        progress.finish_and_clear();
        let report = Report::new(verdicts);
        if self.json {
            output::json(&report)?;
        } else {
            output::text(&format!(
                "{} passed, {} failed, {} skipped\n",
                report.passed, report.failed, report.skipped
            ))?;
        }
        match report.failed {
            0 => Ok(()),
            failed => Err(Failure::with_code(
                1,
                format!(
                    "the worker fails {failed} of {} checks",
                    report.checks.len()
                ),
            )),
        }
    }

    fn chosen(&self) -> Result<Vec<&'static Check>, Failure> {
        let all = || CHECKS.iter().copied().flatten();
        if let Some(unknown) =
            (self.only.iter()).find(|name| all().all(|check| check.name != **name))
        {
            return Err(Failure::new(
                ExitCode::Usage,
                format!("--only {unknown}: no check has this name, see --list"),
            ));
        }
        let wanted = |check: &&Check| {
            self.only.is_empty() || self.only.iter().any(|name| name == check.name)
        };
        Ok(all().filter(wanted).collect())
    }
}

/// Does the checks, some at a time. `done` is told of each verdict as it comes; they are returned in the order of the checks.
fn at_a_time(
    jobs: usize,
    checks: &[&'static Check],
    settings: &Settings,
    mut done: impl FnMut(&Verdict) -> Result<(), Failure>,
) -> Result<Vec<Verdict>, Failure> {
    let next = AtomicUsize::new(0);
    let (tell, verdicts) = mpsc::channel();
    let mut all = thread::scope(|scope| {
        for _ in 0..jobs.min(checks.len()) {
            let (tell, next) = (tell.clone(), &next);
            scope.spawn(move || {
                while let Some(check) = checks.get(next.fetch_add(1, Ordering::Relaxed))
                    && tell.send(conformance::run(check, settings)).is_ok()
                {}
            });
        }
        drop(tell);
        let mut all = Vec::with_capacity(checks.len());
        for verdict in verdicts {
            done(&verdict)?;
            all.push(verdict);
        }
        Ok::<_, Failure>(all)
    })?;
    let place = |verdict: &Verdict| checks.iter().position(|check| check.name == verdict.check);
    all.sort_by_key(place);
    Ok(all)
}

fn list(checks: &[&Check], json: bool) -> Result<(), Failure> {
    if json {
        let entries: Vec<_> = (checks.iter())
            .map(|check| {
                serde_json::json!({
                    "check": check.name,
                    "clause": check.clause,
                    "promise": check.promise,
                })
            })
            .collect();
        return output::json(&entries);
    }
    let mut text = String::new();
    for check in checks {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{:<22} {}\n{:<22} protocol.md#{}",
            check.name, check.promise, "", check.clause
        );
    }
    output::text(&text)
}

fn line(verdict: &Verdict) -> String {
    let Verdict {
        check,
        clause,
        outcome,
        elapsed,
    } = verdict;
    let elapsed = elapsed.as_secs_f64();
    match outcome {
        Outcome::Passed => format!("pass  {check:<22} protocol.md#{clause} ({elapsed:.1} s)\n"),
        Outcome::Skipped { why } => {
            format!("skip  {check:<22} protocol.md#{clause}\n      {why}\n")
        }
        Outcome::Failed { reason } => {
            let reason = reason.replace('\n', "\n      ");
            format!("FAIL  {check:<22} protocol.md#{clause} ({elapsed:.1} s)\n      {reason}\n")
        }
    }
}
