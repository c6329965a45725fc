//! This project beside what people would use instead, on this machine.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use bench::compare::campaign::{self, Effort};
use bench::compare::report::{Figures, Row, Table};
use bench::compare::{self, ALL, System, break_even, goals};
use clap::Parser;
use clap::builder::PossibleValuesParser;
use indicatif::{ProgressBar, ProgressStyle};

/// Measures this project beside what people would use instead.
///
/// All systems do the same: an echo of 64 bytes by one worker process with a single-threaded handler, for one client process. They
/// take turns, so a figure says something beside the others of its run only. Brokers are started for the occasion, on sockets of their
/// own; those that are not installed are named with the package that has them.
#[derive(Parser)]
#[command(name = "compare")]
struct Cli {
    /// Short turns: shows that everything works, not how fast it is.
    #[arg(long)]
    quick: bool,
    /// One line of JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Only these systems, by name; may be given several times.
    #[arg(long = "system", value_parser = PossibleValuesParser::new(ALL.iter().map(|system| system.name)))]
    systems: Vec<String>,
    /// Rounds in which every system has its turn.
    #[arg(long)]
    rounds: Option<usize>,
    /// Threads of the client's executor. One, as the bare loops have, leaves the other cores to the broker and the worker.
    #[arg(long, default_value_t = 1)]
    client_threads: usize,
}

fn main() -> ExitCode {
    if let Some(exit) = compare::become_child() {
        return exit;
    }
    match run(&Cli::parse()) {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("compare: {error}");
            sysexits::ExitCode::Software.into()
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode, compare::Error> {
    let systems: Vec<&'static System> = (ALL.iter().copied())
        .filter(|system| {
            cli.systems.is_empty() || cli.systems.iter().any(|name| name == system.name)
        })
        .collect();
    let mut effort = if cli.quick {
        Effort::QUICK
    } else {
        Effort::FULL
    };
    effort.rounds = cli.rounds.unwrap_or(effort.rounds).max(1);

    // A question about this project alone, which a choice of systems leaves out.
    let asks_break_even = cli.systems.is_empty();
    let steps = systems.len() * (1 + campaign::IN_FLIGHT.len() * (1 + effort.rounds))
        + if asks_break_even {
            break_even::steps(effort)
        } else {
            0
        };
    let bar = ProgressBar::new(steps as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {percent}% {msg}")?);
    bar.enable_steady_tick(Duration::from_millis(200));
    let said = |what: &str| {
        bar.set_message(what.to_owned());
        bar.inc(1);
    };
    let contestants = campaign::run(&systems, effort, cli.client_threads, said)?;
    let break_even = (asks_break_even)
        .then(|| break_even::run(effort, said))
        .transpose()?;
    bar.finish_and_clear();

    let rows: Vec<Row> = contestants.iter().map(Row::new).collect();
    let goals = goals::of(&rows, break_even.as_ref());
    let mut out = io::stdout().lock();
    if cli.json {
        let report =
            serde_json::json!({ "systems": rows, "break_even": break_even, "goals": goals });
        writeln!(out, "{report}")?;
    } else {
        writeln!(out, "{}", Table(&rows))?;
        if let Some(break_even) = &break_even {
            writeln!(out, "{break_even}")?;
        }
        for goal in &goals {
            writeln!(out, "{goal}")?;
        }
    }
    // A peer that is not installed is named above; one of ours that does not run is a failure.
    let broken = |row: &&Row| {
        let needs = ALL.iter().find(|system| system.name == row.name);
        let needs = needs.and_then(|system| system.needs);
        matches!(row.figures, Figures::Missing(_)) && needs.is_none_or(|program| program.is_there())
    };
    if let Some(row) = rows.iter().find(broken) {
        if let Figures::Missing(why) = &row.figures {
            eprintln!("compare: {} did not run: {why}", row.name);
        }
        return Ok(sysexits::ExitCode::Software.into());
    }
    Ok(ExitCode::SUCCESS)
}
