use std::io::{self, IsTerminal};

use clap::ValueEnum;
use sysexits::ExitCode;
use tracing_subscriber::{
    EnvFilter, Registry, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use crate::failure::Failure;

/// What is logged unless somebody says otherwise.
const DEFAULT_FILTER: &str = "info";

/// What goes to standard error besides failures.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to log to standard error: a level, or levels by module, such as warn,powerhose=debug [default: info]
    #[arg(
        long,
        env = "POWERHOSE_LOG",
        hide_env_values = true,
        value_name = "FILTER",
        global = true,
        help_heading = "Log"
    )]
    log: Option<String>,

    /// How to write the log
    #[arg(
        long,
        env = "POWERHOSE_LOG_FORMAT",
        hide_env_values = true,
        value_name = "FORMAT",
        default_value = "text",
        global = true,
        help_heading = "Log"
    )]
    log_format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A line for people
    Text,
    /// A JSON object on each line
    Json,
}

/// The log, whose filter a role with a settings file can change.
pub(crate) struct Log {
    given: Option<String>,
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Log {
    /// Sends the log to standard error.
    pub(crate) fn start(options: Options) -> Result<Self, Failure> {
        let given = options.log;
        let filter = parse("--log", given.as_deref().unwrap_or(DEFAULT_FILTER))?;
        let (filter, handle) = reload::Layer::new(filter);
        let lines = fmt::layer()
            .with_writer(io::stderr)
            // Whoever read the log may have gone. Complaining about that on standard error, too, would panic.
            .log_internal_errors(false)
            .with_ansi(io::stderr().is_terminal());
        let registry = tracing_subscriber::registry().with(filter);
        let started = match options.log_format {
            Format::Text => registry.with(lines).try_init(),
            Format::Json => registry.with(lines.json()).try_init(),
        };
        started.map_err(|error| Failure::new(ExitCode::Software, error.to_string()))?;
        Ok(Self {
            given,
            filter: handle,
        })
    }

    /// Filters as a settings file says, or as by default. What the command line says counts for more.
    pub(crate) fn follow(&self, file: Option<&str>) -> Result<(), Failure> {
        let filter = match (&self.given, file) {
            (Some(_), None) => return Ok(()),
            (Some(_), Some(file)) => return parse("log", file).map(drop),
            (None, file) => parse("log", file.unwrap_or(DEFAULT_FILTER))?,
        };
        (self.filter.reload(filter))
            .map_err(|error| Failure::new(ExitCode::Software, error.to_string()))
    }
}

fn parse(setting: &str, filter: &str) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(filter).map_err(|error| {
        let why = format!("{setting} {filter:?} is not a filter: {error}");
        Failure::new(ExitCode::Usage, why)
    })
}
