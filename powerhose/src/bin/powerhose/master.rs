use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Args;
use powerhose::service_manager::{self, READY, STOPPING};
use powerhose::{Inquiry, StandaloneMaster};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::settings::Settings;
use crate::failure::Failure;
use crate::log::Log;
use crate::output;
use crate::security::{ServerKeys, ServerOptions};

mod settings;

/// How long a master that is asked how it is may take to answer.
const CHECK_WITHIN: Duration = Duration::from_secs(2);

/// Run a standalone master: clients of many services share one pool of workers
///
/// Clients connect to its frontends, workers to its backends. With nothing set both are in a private directory of this user, where
/// `powerhose worker`, `powerhose call` and `powerhose status` look for them, too.
///
/// SIGTERM and SIGINT drain: no more jobs are taken, those under way are finished within the grace; the second one stops at once.
/// SIGHUP reads the lists of keys again, and in the settings file the log filter and the limits of the queue and of clients. Ends
/// with 69 where a master is running already, and names its process.
#[derive(Args)]
pub(crate) struct Master {
    /// Where clients connect to; may be given several times [default: frontend in the private directory]
    #[arg(
        long,
        env = "POWERHOSE_FRONTEND",
        hide_env_values = true,
        value_name = "ENDPOINT",
        value_delimiter = ','
    )]
    frontend: Vec<String>,

    /// Where workers connect to; may be given several times [default: backend in the private directory]
    #[arg(
        long,
        env = "POWERHOSE_BACKEND",
        hide_env_values = true,
        value_name = "ENDPOINT",
        value_delimiter = ','
    )]
    backend: Vec<String>,

    /// Where operators connect to; may be given several times [default: to the frontends, like clients]
    #[arg(
        long,
        env = "POWERHOSE_OPERATOR",
        hide_env_values = true,
        value_name = "ENDPOINT",
        value_delimiter = ','
    )]
    operator: Vec<String>,

    /// A TOML file with settings; an option given here counts for more
    #[arg(
        long,
        env = "POWERHOSE_CONFIG",
        hide_env_values = true,
        value_name = "FILE"
    )]
    config: Option<PathBuf>,

    /// How long jobs under way may take when the master is told to end [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    drain: Option<Duration>,

    /// How long a client that lost its connection may take to come back [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    grace: Option<Duration>,

    /// The most workers [default: 4096]
    #[arg(long, value_name = "NUMBER")]
    max_workers: Option<usize>,

    /// The most clients [default: 1024]
    #[arg(long, value_name = "NUMBER")]
    max_clients: Option<usize>,

    /// The most jobs that wait for a worker [default: 100000]
    #[arg(long, value_name = "NUMBER")]
    max_queue_jobs: Option<usize>,

    /// Ask the master that is running instead: 0 if it answers, 69 if none does
    #[arg(long)]
    check: bool,

    /// With --check: print its whole report as JSON
    #[arg(long, requires = "check")]
    json: bool,

    #[command(flatten)]
    security: ServerOptions,
}

impl Master {
    pub(crate) fn run(self, log: &Log) -> Result<(), Failure> {
        let settings = Settings::read(&self)?;
        if self.check {
            return self.check(&settings);
        }
        log.follow(settings.log.as_deref())?;
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])
            .map_err(|error| Failure::system("listen to signals", &error))?;
        let keys = settings.security.keys()?;
        let master = Arc::new(start(&settings, keys.as_ref())?);
        tracing::info!(
            pid = std::process::id(),
            frontends = ?master.frontends(),
            backends = ?master.backends(),
            operators = ?master.operators(),
            "ready"
        );
        service_manager::notify(READY);
        let mut drain = settings.drain;
        for signal in signals.forever() {
            if signal != SIGHUP {
                break;
            }
            service_manager::notify(&service_manager::reloading());
            match self.read_again(&settings, &master, log) {
                Ok(now) => drain = now.drain,
                Err(failure) => tracing::error!("the settings stay as they are: {failure}"),
            }
            if let Some(keys) = &keys {
                keys.read_again();
            }
            service_manager::notify(READY);
        }
        service_manager::notify(STOPPING);
        tracing::info!(grace = ?drain, "draining; a second signal stops at once");
        let impatient = Arc::clone(&master);
        thread::spawn(move || {
            if signals.forever().any(|signal| signal != SIGHUP) {
                impatient.begin_shutdown(Duration::ZERO);
            }
        });
        let report = master.shutdown_blocking(drain);
        tracing::info!(report.finished, report.aborted, "ended");
        Ok(())
    }

    fn read_again(
        &self,
        before: &Settings,
        master: &StandaloneMaster,
        log: &Log,
    ) -> Result<Settings, Failure> {
        let settings = Settings::read(self)?;
        log.follow(settings.log.as_deref())?;
        master.set_limits(settings.limits());
        tracing::info!("read the settings again");
        for setting in before.fixed_ones_changed(&settings) {
            tracing::warn!(setting, "has changed: that takes a restart");
        }
        Ok(settings)
    }

    fn check(&self, settings: &Settings) -> Result<(), Failure> {
        let endpoints = match settings.operators[..] {
            [] => &settings.frontends,
            _ => &settings.operators,
        };
        // Where the file system decides, no key is needed.
        let local = endpoints
            .iter()
            .find(|endpoint| endpoint.starts_with("ipc://"));
        // A master that listens at every address listens at this one.
        let endpoint = local
            .unwrap_or(&endpoints[0])
            .replace("//*:", "//127.0.0.1:");
        let mut inquiry = Inquiry::new(endpoint).insecure(settings.security.insecure);
        if let Some(keys) = settings.security.own_keys()? {
            inquiry = inquiry.curve(keys);
        }
        let report = inquiry.ask(CHECK_WITHIN)?;
        if self.json {
            return output::json(&report);
        }
        output::text(&format!(
            "process {} is {} with {} workers and {} clients\n",
            report.pid,
            report.phase,
            report.workers.len(),
            report.clients.len()
        ))
    }
}

fn start(settings: &Settings, keys: Option<&ServerKeys>) -> Result<StandaloneMaster, Failure> {
    let mut builder = StandaloneMaster::builder().insecure(settings.security.insecure);
    for endpoint in &settings.frontends {
        builder = builder.frontend(endpoint);
    }
    for endpoint in &settings.backends {
        builder = builder.backend(endpoint);
    }
    for endpoint in &settings.operators {
        builder = builder.operator(endpoint);
    }
    if let Some(keys) = keys {
        builder = builder.curve(keys.server.clone());
    }
    Ok(builder
        .config(settings.config.clone())
        .clients(settings.clients.clone())
        .start()?)
}
