//! The crypto worker: verifies BrowserID assertions and issues tokens.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, builder::PossibleValuesParser};
use powerhose::{Bytes, Job, JobError};
use workers::{crypto, process};

/// Verify BrowserID assertions and issue tokens for a Powerhose master
///
/// SIGTERM and SIGINT let it finish the jobs at hand.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    options: process::Options,

    /// Offer this service; may be given several times [default: all of them]
    #[arg(long = "service", value_name = "NAME", value_parser = PossibleValuesParser::new(crypto::SERVICES))]
    services: Vec<String>,
}

fn main() -> ExitCode {
    let cli: Cli = match process::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let mut services = cli.services;
    if services.is_empty() {
        services = crypto::SERVICES.map(String::from).into();
    }
    process::run(&cli.options, &services, |job| handle(&job))
}

fn handle(job: &Job) -> Result<Bytes, JobError> {
    Ok(crypto::handle(job.service(), job.body())?.into())
}
