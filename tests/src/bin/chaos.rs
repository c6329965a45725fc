//! Runs a service and its workers under faults and proves that nothing was lost or doubled.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tests::chaos::director;
use tests::chaos::ground::Ground;
use tests::chaos::{service, worker};

/// Runs a service and its workers under faults and proves that nothing was lost or doubled.
///
/// Workers are killed, stopped and continued; some are bad from the start; the service itself is killed and started again. One line
/// of JSON on standard output sums it up. What was not kept of the promises, or not reached, is on standard error, and the exit
/// status is then 70.
#[derive(Parser)]
#[command(name = "chaos", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(clap::Args)]
struct Run {
    /// How long the load lasts, in seconds. Judging a long run takes memory: about 3 MB for each second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(3..=600))]
    seconds: u32,
    /// Decides who is hurt when; random if it is not given. What comes of it is up to the scheduler all the same.
    #[arg(long)]
    seed: Option<u64>,
    /// How many good workers there are, with two slots each.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..=256))]
    workers: u16,
    /// Do not judge numbers of jobs and kills, times and success rate, which depend on what else the machine does.
    #[arg(long)]
    any_speed: bool,
}

/// The processes that the command starts.
#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Service {
        #[arg(long)]
        ground: PathBuf,
        #[arg(long)]
        life: u32,
        #[arg(long)]
        seed: u64,
        #[arg(long)]
        workers: usize,
    },
    #[command(hide = true)]
    Worker {
        #[arg(long)]
        ground: PathBuf,
        #[arg(long)]
        kind: worker::Kind,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.role {
        None => run(&cli.run),
        Some(Role::Service {
            ground,
            life,
            seed,
            workers,
        }) => {
            let settings = service::Settings {
                life,
                seed,
                workers,
            };
            service::run(&Ground::new(ground), settings).map(|()| ExitCode::SUCCESS)
        }
        Some(Role::Worker { ground, kind }) => {
            worker::run(kind, &Ground::new(ground)).map(ExitCode::from)
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("chaos: {error}");
        sysexits::ExitCode::Software.into()
    })
}

fn run(run: &Run) -> Result<ExitCode, Box<dyn Error>> {
    let finding = director::run(director::Settings {
        seconds: run.seconds,
        seed: run.seed.unwrap_or_else(rand::random),
        workers: run.workers.into(),
    })?;
    let mut line = serde_json::to_vec(&finding.summary)?;
    line.push(b'\n');
    io::stdout().write_all(&line)?;

    let mut complaints = finding.violations;
    if !run.any_speed {
        complaints.extend(finding.summary.shortfalls());
    }
    for complaint in &complaints {
        eprintln!("chaos: {complaint}");
    }
    if let Some(folder) = finding.kept {
        eprintln!("chaos: what the processes wrote is in {}", folder.display());
    }
    Ok(if complaints.is_empty() {
        ExitCode::SUCCESS
    } else {
        sysexits::ExitCode::Software.into()
    })
}
