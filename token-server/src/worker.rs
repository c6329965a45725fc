use std::process::ExitCode;

use clap::Args;
use powerhose::Job;
use workers::{crypto, process};

/// Verify assertions and issue tokens for a server.
///
/// `serve` and `dev` start these processes by themselves. SIGTERM and SIGINT let it finish the job at
/// hand.
#[derive(Args)]
pub(crate) struct Worker {
    #[command(flatten)]
    options: process::Options,
}

impl Worker {
    pub(crate) fn run(&self) -> ExitCode {
        let services = crypto::SERVICES.map(str::to_owned);
        process::run(&self.options, &services, |job: Job| {
            Ok(crypto::handle(job.service(), job.body())?.into())
        })
    }
}
