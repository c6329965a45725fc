//! Has a standalone master, its workers and its clients run for long while others come and go, and proves that nothing piles up.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tests::soak::{clients, director};
use tests::{many_workers, standalone_process};

/// How long the master keeps sessions whose clients are away: short, so that many end that way.
const GRACE: Duration = Duration::from_secs(2);

/// Has a standalone master, its workers and its clients run for long while others come and go, and proves that nothing piles up.
///
/// Worker processes are killed and drained by turns, jobs are given up, clients come and go and lose their connections. After a quarter of
/// the time memory may grow by 5 % and 2 MiB, and descriptors by 8, in each of the processes that stay. One line of JSON on standard
/// output sums it up; what must not be is on standard error, and the exit status is then 70.
#[derive(Parser)]
#[command(name = "soak", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(clap::Args)]
struct Run {
    /// How long it lasts, in minutes.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    minutes: u32,
    /// How long it lasts, in seconds, instead.
    #[arg(long, conflicts_with = "minutes", value_parser = clap::value_parser!(u32).range(6..))]
    seconds: Option<u32>,
    /// Do not judge memory, which takes minutes to settle.
    #[arg(long)]
    any_memory: bool,
}

/// The processes that the command starts.
#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Master {
        #[arg(long)]
        folder: PathBuf,
    },
    #[command(hide = true)]
    Workers {
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        count: usize,
    },
    #[command(hide = true)]
    Clients {
        #[arg(long)]
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.role {
        None => run(&cli.run),
        Some(role) => play(role).map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("soak: {error}");
        sysexits::ExitCode::Software.into()
    })
}

fn play(role: Role) -> Result<(), Box<dyn Error>> {
    match role {
        Role::Master { folder } => {
            let settings = standalone_process::Settings {
                grace: Some(GRACE),
                ..standalone_process::Settings::default()
            };
            standalone_process::run(&folder, settings)
        }
        Role::Workers { folder, count } => Ok(many_workers::run(&many_workers::Settings {
            endpoint: standalone_process::backend(&folder),
            count,
            work: director::WORK,
        })?),
        Role::Clients { folder } => Ok(clients::run(&folder)?),
    }
}

fn run(run: &Run) -> Result<ExitCode, Box<dyn Error>> {
    let seconds = run.seconds.unwrap_or(run.minutes.saturating_mul(60));
    let summary = director::run(Duration::from_secs(seconds.into()))?;
    let mut line = serde_json::to_vec(&summary)?;
    line.push(b'\n');
    io::stdout().write_all(&line)?;
    let complaints = summary.complaints(!run.any_memory);
    for complaint in &complaints {
        eprintln!("soak: {complaint}");
    }
    Ok(if complaints.is_empty() {
        ExitCode::SUCCESS
    } else {
        sysexits::ExitCode::Software.into()
    })
}
