//! The token server under load, with its crypto in worker processes, in a blocking thread, and in the handler itself.

#![forbid(unsafe_code)]

mod campaign;
mod credentials;
mod health;
mod in_process;
mod load;
mod report;
mod server;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use crate::campaign::Plan;
use crate::report::Report;

/// What went wrong while a server was started or asked.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// Measures how fast the token server issues tokens, and how long its health endpoint takes meanwhile.
///
/// The same web tier stands before crypto in worker processes (the product), in blocking threads of its own process, and inline in
/// its handlers. All take turns, and a server that says hello as the control: a figure says something beside the others of its run
/// only. Servers, workers and this program share the machine.
#[derive(Parser)]
#[command(name = "issuance")]
struct Cli {
    /// Short turns: shows that everything works, not how fast it is.
    #[arg(long)]
    quick: bool,
    /// One line of JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Rounds in which every server has its turn. Default 5, or 1 when quick.
    #[arg(long)]
    rounds: Option<usize>,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Crypto workers of the product.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// A database of a token server to use, sqlite:, postgres: or mysql:. Default: a new SQLite file for each server.
    #[arg(
        long,
        env = "POWERHOSE_BENCH_DATABASE",
        hide_env_values = true,
        value_name = "URL"
    )]
    database: Option<String>,
}

fn main() -> ExitCode {
    if let Some(exit) = server::become_child() {
        return exit;
    }
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("issuance: {error}");
            sysexits::ExitCode::Software.into()
        }
    }
}

fn run(cli: &Cli) -> Result<(), Error> {
    let (rounds, turn) = if cli.quick {
        (1, Duration::from_millis(500))
    } else {
        (5, Duration::from_secs(3))
    };
    let plan = Plan {
        rounds: cli.rounds.unwrap_or(rounds).max(1),
        turn,
        connections: cli.connections.max(1),
        workers: cli.workers.max(1),
        database: cli.database.clone(),
    };
    let bar = ProgressBar::new(plan.steps());
    bar.set_style(ProgressStyle::with_template("{bar:40} {percent}% {msg}")?);
    bar.enable_steady_tick(Duration::from_millis(200));
    let turns = campaign::run(&plan, |what| {
        bar.set_message(what);
        bar.inc(1);
    })?;
    bar.finish_and_clear();

    let report = Report::new(&plan, &turns).ok_or("nothing was measured")?;
    let mut out = io::stdout().lock();
    if cli.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(())
}
