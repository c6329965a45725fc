//! Has thousands of workers at one standalone master, kills a part of them and proves that nothing was lost.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tests::crowd::director;
use tests::{many_workers, standalone_process};

/// Has thousands of workers at one standalone master, kills a part of them and proves that nothing was lost.
///
/// All workers register at once, each over a connection of its own, in a few processes; one of these is killed midway. Every job must
/// have its result all the same, and no other worker may be taken for dead. One line of JSON on standard output has memory, descriptors
/// and times; what must not be is on standard error, and the exit status is then 70.
///
/// Each process of workers needs two descriptors for a worker, the master one; soft limits are raised, hard ones must do.
#[derive(Parser)]
#[command(name = "crowd", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(clap::Args)]
struct Run {
    /// How many workers there are.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u16).range(8..=20_000))]
    workers: u16,
    /// In how many processes they are, 1,000 in each at most. One of them is killed.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(2..=64))]
    processes: u8,
    /// How long jobs are handed in, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// How many jobs are handed in each second.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
}

/// The processes that the command starts.
#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Master {
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        workers: usize,
    },
    #[command(hide = true)]
    Workers {
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        count: usize,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.role {
        None => run(&cli.run),
        Some(Role::Master { folder, workers }) => {
            let settings = standalone_process::Settings {
                workers,
                ..standalone_process::Settings::default()
            };
            standalone_process::run(&folder, settings).map(|()| ExitCode::SUCCESS)
        }
        Some(Role::Workers { folder, count }) => {
            let settings = many_workers::Settings {
                endpoint: standalone_process::backend(&folder),
                count,
                work: director::WORK,
            };
            (many_workers::run(&settings).map(|()| ExitCode::SUCCESS)).map_err(Into::into)
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("crowd: {error}");
        sysexits::ExitCode::Software.into()
    })
}

fn run(run: &Run) -> Result<ExitCode, Box<dyn Error>> {
    let (workers, processes) = (usize::from(run.workers), usize::from(run.processes));
    if workers.div_ceil(processes) > many_workers::MOST {
        let most = many_workers::MOST;
        eprintln!("crowd: a process has {most} workers at most: --processes is too low");
        return Ok(sysexits::ExitCode::Usage.into());
    }
    let (summary, complaints) = director::run(director::Settings {
        workers,
        processes,
        seconds: run.seconds,
        rate: run.rate,
    })?;
    let mut line = serde_json::to_vec(&summary)?;
    line.push(b'\n');
    io::stdout().write_all(&line)?;
    for complaint in &complaints {
        eprintln!("crowd: {complaint}");
    }
    Ok(if complaints.is_empty() {
        ExitCode::SUCCESS
    } else {
        sysexits::ExitCode::Software.into()
    })
}
