use std::time::Duration;

use clap::Args;
use powerhose::exec::{Mode, Program, ProgramBuilder, ProgramError};
use powerhose::{Exit, WorkerBuilder};
use sysexits::ExitCode;

use crate::failure::Failure;
use crate::{runtime, security};

/// How long programs may take to end once the worker has, before they are killed.
const GRACE: Duration = Duration::from_secs(2);

/// Make any program a worker: it reads jobs from its standard input and writes the answers to its standard output
///
/// The program is started once for each slot. A job comes as its length, 4 bytes big-endian,
/// and its bytes; an answer goes back the same way, with the highest bit of the length set if it
/// is the message of a failure. In Python:
///
///     import sys, struct
///     jobs, answers = sys.stdin.buffer, sys.stdout.buffer
///     while head := jobs.read(4):
///         answer = jobs.read(*struct.unpack(">I", head)).upper()
///         answers.write(struct.pack(">I", len(answer)) + answer)
///         answers.flush()
///
/// With --per-job it is started for each job instead, which is all of its input; an exit code
/// other than 0 is a failure.
///
/// What it writes to standard error goes to the log. A program that dies fails the job that it
/// had, and is started again. One that takes longer than the job's caller waits, or than
/// --job-timeout, is killed with its process group. SIGTERM and SIGINT let the jobs at hand be
/// finished.
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  powerhose worker --exec 'python3 upper.py' --connect ipc:///run/jobs/backend --slots 4
  powerhose worker --exec 'tr a-z A-Z' --per-job --service upper --connect tcp://127.0.0.1:5555"
)]
pub(crate) struct Worker {
    /// The program and its arguments, split as a shell would, but no shell is started
    #[arg(long, value_name = "CMD")]
    exec: String,

    /// Where the master listens: ipc://PATH or tcp://HOST:PORT [default: backend in the private directory]
    #[arg(
        long,
        env = "POWERHOSE_CONNECT",
        hide_env_values = true,
        value_name = "ENDPOINT"
    )]
    connect: Option<String>,

    #[command(flatten)]
    security: security::ClientOptions,

    /// Offer this service; may be given several times [default: the default service, whose name is empty]
    #[arg(long = "service", value_name = "NAME")]
    services: Vec<String>,

    /// How many jobs to do at the same time, each by a process of its own
    #[arg(
        long,
        env = "POWERHOSE_SLOTS",
        hide_env_values = true,
        value_name = "N",
        default_value_t = 1
    )]
    slots: u16,

    /// Start the program anew for each job
    #[arg(long)]
    per_job: bool,

    /// Kill the program when a job takes longer [default: as long as the job's caller waits]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    job_timeout: Option<Duration>,

    /// The largest answer in bytes
    #[arg(long, value_name = "BYTES", default_value_t = powerhose::wire::limits::DEFAULT_MAX_BODY)]
    max_answer: usize,

    /// How long to look for a master before giving up, at the start or when it was lost
    #[arg(
        long,
        env = "POWERHOSE_RECONNECT_LIMIT",
        hide_env_values = true,
        value_name = "DURATION",
        default_value = "60s",
        value_parser = humantime::parse_duration
    )]
    reconnect_limit: Duration,
}

impl Worker {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let connect = self.connect.clone().unwrap_or_else(runtime::backend);
        let program = start(&self.exec, self.per_job, self.slots, |program| {
            let program = program.max_answer(self.max_answer);
            match self.job_timeout {
                Some(timeout) => program.job_timeout(timeout),
                None => program,
            }
        })?;
        let handler = program.clone();
        let mut worker = powerhose::Worker::builder().insecure(self.security.insecure);
        if let Some(keys) = self.security.keys()? {
            worker = worker.curve(keys);
        }
        let exit = (self.services.iter())
            .fold(worker, WorkerBuilder::service)
            .connect(&connect)
            .slots(self.slots)
            .reconnect_limit(self.reconnect_limit)
            .handler(move |job| handler.handle(&job))
            .run();
        program.close(GRACE);
        let exit = exit?;
        match self.complaint(&connect, &exit) {
            None => Ok(()),
            Some(complaint) => Err(Failure::with_code(exit.code(), complaint)),
        }
    }

    fn complaint(&self, connect: &str, exit: &Exit) -> Option<String> {
        match exit {
            Exit::MasterLost => {
                let limit = humantime::format_duration(self.reconnect_limit);
                Some(format!("no master at {connect} within {limit}"))
            }
            Exit::Stopped => Some("stopped at once, jobs may have been left undone".into()),
            Exit::Rejected { message, .. } => Some(format!(
                "the master at {connect} refuses this worker: {message}"
            )),
            _ => None,
        }
    }
}

/// Starts the program of `--exec`.
pub(crate) fn start(
    command: &str,
    per_job: bool,
    slots: u16,
    set: impl FnOnce(ProgramBuilder) -> ProgramBuilder,
) -> Result<Program, Failure> {
    let words = shell_words::split(command)
        .map_err(|error| Failure::new(ExitCode::Usage, format!("--exec {command:?}: {error}")))?;
    let mode = if per_job { Mode::PerJob } else { Mode::Stream };
    set(Program::builder(words).mode(mode))
        .start(slots)
        .map_err(|error| {
            let code = match error {
                ProgramError::Empty => ExitCode::Usage,
                _ => ExitCode::NoInput,
            };
            Failure::new(code, format!("--exec {command:?}: {error}"))
        })
}
