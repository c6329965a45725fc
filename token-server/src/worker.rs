use std::{process::ExitCode, sync::Arc};

use clap::Args;
use powerhose::Job;
use signal_hook::consts::SIGHUP;
use workers::{crypto, process};

use crate::failure::Failure;

/// Verify assertions and issue tokens for a server.
///
/// `serve` and `dev` start these processes by themselves. SIGTERM and SIGINT let it finish the job at
/// hand. SIGHUP, which tells `serve` to read its settings again, means nothing to it.
#[derive(Args)]
pub(crate) struct Worker {
    #[command(flatten)]
    options: process::Options,
}

impl Worker {
    pub(crate) fn run(&self) -> ExitCode {
        // By default it would end the process, and with it all workers of a server where somebody signals
        // programs by name.
        let ignored = signal_hook::flag::register(SIGHUP, Arc::default());
        if let Err(error) = ignored {
            eprintln!(
                "token-server: {}",
                Failure::system("handle signals", &error)
            );
            return sysexits::ExitCode::OsErr.into();
        }
        let services = crypto::SERVICES.map(str::to_owned);
        process::run(&self.options, &services, |job: Job| {
            Ok(crypto::handle(job.service(), job.body())?.into())
        })
    }
}
