//! What the worker programs do around their handlers: options, log, exit code.
//!
//! A mistaken option exits with 64 (`EX_USAGE`); the other codes are those of [`Exit`] and
//! [`WorkerError`](powerhose::WorkerError).

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, ValueEnum, error::ErrorKind};
use powerhose::{
    Bytes, Exit, Job, JobError, Worker, WorkerBuilder,
    security::{CurveClient, KeyError, KeyPair, PublicKey},
};
use tracing_subscriber::{EnvFilter, fmt};

/// The options that every worker program has.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where the master listens: ipc://PATH or tcp://HOST:PORT
    #[arg(long, env = "POWERHOSE_CONNECT", value_name = "ENDPOINT")]
    connect: String,

    /// How many jobs to do at the same time, each in a thread of its own
    #[arg(long, env = "POWERHOSE_SLOTS", value_name = "N", default_value_t = 1)]
    slots: u16,

    /// How long to look for a master before giving up, at the start or when it was lost
    #[arg(
        long,
        env = "POWERHOSE_RECONNECT_LIMIT",
        value_name = "DURATION",
        default_value = "60s",
        value_parser = humantime::parse_duration
    )]
    reconnect_limit: Duration,

    /// The file of the own secret key, as made by `powerhose keygen`: encrypts tcp
    #[arg(
        long,
        env = "POWERHOSE_CURVE_SECRET",
        value_name = "FILE",
        requires = "curve_server"
    )]
    curve_secret: Option<PathBuf>,

    /// The file of the master's public key
    #[arg(
        long,
        env = "POWERHOSE_CURVE_SERVER",
        value_name = "FILE",
        requires = "curve_secret"
    )]
    curve_server: Option<PathBuf>,

    /// Connect to another host without keys: whoever is on the way can read and change everything
    #[arg(long)]
    insecure: bool,

    /// What to log to standard error: a level, or levels by module
    #[arg(
        long,
        env = "POWERHOSE_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    log: String,

    /// How to write the log
    #[arg(
        long,
        env = "POWERHOSE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// A line for people
    Text,
    /// A JSON object on each line
    Json,
}

impl Options {
    /// The keys, if files are named.
    fn keys(&self) -> Result<Option<CurveClient>, KeyError> {
        let (Some(secret), Some(server)) = (&self.curve_secret, &self.curve_server) else {
            return Ok(None);
        };
        let keys = CurveClient::new(KeyPair::from_file(secret)?, PublicKey::from_file(server)?);
        Ok(Some(keys))
    }
}

/// Reads the command line.
///
/// # Errors
///
/// The code to exit with when there is nothing to run: 0 after help and version have been printed, 64
/// after a mistake has been told.
pub fn parse<Command: Parser>() -> Result<Command, ExitCode> {
    Command::try_parse().map_err(|error| {
        // Nothing is left to do should the terminal be gone.
        let _ = error.print();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
            _ => sysexits::ExitCode::Usage.into(),
        }
    })
}

/// Does jobs of `services` (of the default service, if there are none) until told to stop, and
/// returns the code to exit with. Unless that is 0, one line on standard error says why.
pub fn run<Handler>(options: &Options, services: &[String], handler: Handler) -> ExitCode
where
    Handler: Fn(Job) -> Result<Bytes, JobError> + Send + Sync + 'static,
{
    run_with(options, services, |builder| builder, handler)
}

/// The same, with settings that only this program has.
pub fn run_with<Handler>(
    options: &Options,
    services: &[String],
    settings: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
    handler: Handler,
) -> ExitCode
where
    Handler: Fn(Job) -> Result<Bytes, JobError> + Send + Sync + 'static,
{
    let filter = match EnvFilter::try_new(&options.log) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("error: --log {:?} is not a filter: {error}", options.log);
            return sysexits::ExitCode::Usage.into();
        }
    };
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // Whoever read the log may have gone. Complaining about that on standard error, too, would panic.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal());
    match options.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
    let builder = match options.keys() {
        Ok(Some(keys)) => Worker::builder().curve(keys),
        Ok(None) => Worker::builder(),
        Err(error) => {
            eprintln!("error: {error}");
            return error.exit_code().into();
        }
    };
    let builder = services
        .iter()
        .fold(builder.insecure(options.insecure), WorkerBuilder::service);
    let worker = settings(builder)
        .connect(&options.connect)
        .slots(options.slots)
        .reconnect_limit(options.reconnect_limit)
        .handler(handler);
    match worker.run() {
        Ok(exit) => {
            if let Some(complaint) = complaint(&exit, options) {
                eprintln!("error: {complaint}");
            }
            exit.into()
        }
        Err(error) => {
            eprintln!("error: {error}");
            error.code().into()
        }
    }
}

fn complaint(exit: &Exit, options: &Options) -> Option<String> {
    match exit {
        Exit::MasterLost => {
            let limit = humantime::format_duration(options.reconnect_limit);
            let keys = match options.curve_secret {
                Some(_) => ", or it does not admit this worker's key",
                None => "",
            };
            Some(format!(
                "no master at {} within {limit}{keys}",
                options.connect
            ))
        }
        Exit::Stopped => Some("stopped at once, jobs may have been left undone".into()),
        Exit::Rejected { message, .. } => Some(format!(
            "the master at {} refuses this worker: {message}",
            options.connect
        )),
        _ => None,
    }
}
