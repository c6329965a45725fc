use std::io::{self, IsTerminal};

use sysexits::ExitCode;
use token_server_web::settings::{Log, LogFormat};
use tracing_subscriber::{EnvFilter, fmt};

use crate::failure::Failure;

/// Sends the log to standard error.
pub(crate) fn start(settings: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|error| {
        Failure::new(
            ExitCode::Config,
            format!(
                "setting log.filter: {:?} is not a filter: {error}",
                settings.filter
            ),
        )
    })?;
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // Whoever read the log may have gone. Complaining about that on standard error, too, would panic.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal());
    let started = match settings.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    started.map_err(|error| Failure::new(ExitCode::Software, error.to_string()))
}
