//! The `powerhose` command: one file per role holds its options and its entry point; this one only dispatches.
//!
//! A new role is a file beside this one with a struct of options (its doc comment is the help) and `run(self) -> Result<(), Failure>`,
//! a variant of [`Role`], a line in `run`, and a file in `tests/cmd/` that freezes its help.

#![forbid(unsafe_code)]

mod bench;
mod call;
mod completions;
mod conformance;
mod failure;
mod keygen;
mod log;
mod master;
mod output;
mod pool;
mod runtime;
mod security;
mod status;
mod usage;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failure::Failure;

/// Hand CPU work from an I/O-bound service to worker processes in any language, over ZeroMQ
#[derive(Parser)]
#[command(
    name = "powerhose",
    version,
    propagate_version = true,
    after_help = "Exit codes are those of sysexits.h. `powerhose help COMMAND` says more about a command."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    log: log::Options,

    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    Worker(worker::Worker),
    Keygen(keygen::Keygen),
    Bench(bench::Bench),
    #[command(alias = "broker")]
    Master(master::Master),
    Pool(pool::Pool),
    Call(call::Call),
    Status(status::Status),
    Completions(completions::Completions),
    Conformance(conformance::Conformance),
}

impl Role {
    fn run(self, log: &log::Log) -> Result<(), Failure> {
        match self {
            Self::Worker(role) => role.run(),
            Self::Keygen(role) => role.run(),
            Self::Bench(role) => role.run(),
            Self::Master(role) => role.run(log),
            Self::Pool(role) => role.run(),
            Self::Call(role) => role.run(),
            Self::Status(role) => role.run(),
            Self::Completions(role) => role.run(),
            Self::Conformance(role) => role.run(),
        }
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::answer(&error),
    };
    match log::Log::start(cli.log).and_then(|log| cli.role.run(&log)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("powerhose: {failure}");
            failure.code().into()
        }
    }
}
