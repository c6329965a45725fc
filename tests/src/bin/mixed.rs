//! Has workers and clients in three languages at one standalone master, kills some of them and the master, and proves that every job has
//! one outcome.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tests::mixed::{client, director, worker};

/// Has workers and clients in three languages at one standalone master, kills some of them and the master, and proves that every job
/// has one outcome.
///
/// Two workers each in Rust, Python and C++ serve four client processes: two in Rust, a Python one with threads, a Python one with asyncio. In
/// the first part of the run nothing happens, and every worker must do at least half of the mean. In the second part a worker of each
/// language is killed, in the third the master, which is started again. One job in ten must not be started twice.
///
/// What was done is on standard output; what must not be is on standard error, and the exit status is then 70.
#[derive(Parser)]
#[command(name = "mixed", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(clap::Args)]
struct Run {
    /// How many jobs the first part has. Each of the others has a fifth of that, 2,000 at least.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..=10_000_000))]
    jobs: u32,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// The processes that the command starts, as far as they are this program.
#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Worker(worker::Arguments),
    #[command(hide = true)]
    Client(client::Arguments),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.role {
        None => run(&cli.run),
        Some(Role::Worker(arguments)) => worker::run(&arguments).map(ExitCode::from),
        Some(Role::Client(arguments)) => {
            (client::run(&arguments).map(|()| ExitCode::SUCCESS)).map_err(Into::into)
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("mixed: {error}");
        sysexits::ExitCode::Software.into()
    })
}

fn run(run: &Run) -> Result<ExitCode, Box<dyn Error>> {
    let (summary, complaints) = director::run(run.jobs.into())?;
    let text = if run.json {
        serde_json::to_string(&summary)? + "\n"
    } else {
        summary.to_string()
    };
    io::stdout().write_all(text.as_bytes())?;
    for complaint in &complaints {
        eprintln!("mixed: {complaint}");
    }
    Ok(if complaints.is_empty() {
        ExitCode::SUCCESS
    } else {
        sysexits::ExitCode::Software.into()
    })
}
