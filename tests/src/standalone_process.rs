//! A standalone master in a process of its own.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use powerhose::StandaloneMaster;
use powerhose::master::Config;
use powerhose::master::frontend::FrontendConfig;

use crate::role_process::{tell, wait_for_end};

/// How long the jobs under way may take at the end.
const GRACE: Duration = Duration::from_secs(20);

/// What the master is to be like, beside its defaults.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// The most workers; the default if that is higher.
    pub workers: usize,
    /// How long a client that lost its connection may take to come back; the default if none is given.
    pub grace: Option<Duration>,
}

/// Where clients connect to in this folder.
pub fn frontend(folder: &Path) -> String {
    format!("ipc://{}", folder.join("run/frontend").display())
}

/// Where workers connect to.
pub fn backend(folder: &Path) -> String {
    format!("ipc://{}", folder.join("run/backend").display())
}

/// Is a master until it is told to end. Writes a line when it listens.
///
/// # Errors
/// Why it could not begin.
pub fn run(folder: &Path, settings: Settings) -> Result<(), Box<dyn Error>> {
    let config = Config::default();
    let clients = FrontendConfig::default();
    let master = StandaloneMaster::builder()
        .frontend(frontend(folder))
        .backend(backend(folder))
        .config(Config {
            max_workers: config.max_workers.max(settings.workers),
            ..config
        })
        .clients(FrontendConfig {
            grace: settings.grace.unwrap_or(clients.grace),
            ..clients
        })
        .start()?;
    tell("ready")?;
    wait_for_end();
    master.shutdown_blocking(GRACE);
    Ok(())
}
