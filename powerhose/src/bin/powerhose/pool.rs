use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use powerhose::service_manager::{self, READY, STOPPING};
use powerhose::{AfterExit, Exits, Output, StandaloneMaster, Workers};
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use sysexits::ExitCode;

use self::parent::Parent;
use crate::failure::Failure;
use crate::{output, runtime};

mod parent;

/// Run a master and its workers together: a pool for the services of this user on this machine
///
/// The program is started so many times, gets the endpoint to connect to as POWERHOSE_CONNECT, and {endpoint} in its arguments is
/// replaced by it. One that ends is started again, at first after 100 ms, at most after 10 s where it keeps ending at start. When the
/// pool ends, in whatever way, its workers do, too.
///
/// SIGTERM and SIGINT drain: no more jobs are taken, those under way are finished within the grace; the second one does not wait for
/// them. Services connect to the frontend, as `powerhose call` and `powerhose status` do.
#[derive(Args)]
#[command(after_help = "Examples:
  powerhose pool --workers 4 -- crypto-worker
  powerhose pool --workers 2 -- powerhose-worker shop.images.thumbnail --connect '{endpoint}'")]
pub(crate) struct Pool {
    /// The workers' program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
    command: Vec<OsString>,

    /// How many workers to keep
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,

    /// Where `frontend` and `backend` are to listen; made if it is missing, and removed at the end if nothing else is in it [default:
    /// the private directory of this user]
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,

    /// How long the end may take before workers that are still at a job are killed
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    grace: Duration,

    /// End when this process, which started the pool, has ended
    #[arg(long, value_name = "PID")]
    parent: Option<u32>,

    /// Print what happens as lines of JSON; what workers print goes to standard error then
    #[arg(long)]
    json: bool,
}

/// What happens, for the program that started the pool.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    /// The master listens and the workers have been started.
    Ready {
        frontend: String,
        backend: String,
        workers: Vec<u32>,
    },
    /// A worker ended that nobody had told to, or could not be started.
    WorkerEnded {
        pid: Option<u32>,
        cause: String,
        restart_after_ms: u64,
    },
    /// The pool could not be started.
    Failed { code: u8, message: String },
}

impl Pool {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let ended = self.serve();
        if let Err(failure) = &ended {
            self.tell(&Event::Failed {
                code: failure.code(),
                message: failure.to_string(),
            });
        }
        ended
    }

    fn serve(&self) -> Result<(), Failure> {
        let mut signals = Signals::new([SIGTERM, SIGINT])
            .map_err(|error| Failure::system("listen to signals", &error))?;
        let parent = self.parent.map(Parent::watch).transpose()?;
        let directory = (self.directory.clone()).unwrap_or_else(runtime::directory);
        let endpoint = |name| format!("ipc://{}", directory.join(name).display());
        let master = StandaloneMaster::builder()
            .frontend(endpoint("frontend"))
            .backend(endpoint("backend"))
            .start()?;
        let master = Arc::new(master);
        let (frontend, backend) = (&master.frontends()[0], &master.backends()[0]);
        let workers = self.start(backend).inspect_err(|_| {
            master.shutdown_blocking(Duration::ZERO);
            // As at the end.
            let _ = fs::remove_dir(&directory);
        })?;
        if self.json {
            let exits = workers.exits();
            thread::spawn(|| report(exits));
        }
        tracing::info!(
            pid = std::process::id(),
            frontend,
            backend,
            workers = self.workers,
            "ready"
        );
        self.tell(&Event::Ready {
            frontend: frontend.clone(),
            backend: backend.clone(),
            workers: workers.pids(),
        });
        service_manager::notify(READY);

        if let Some(parent) = parent {
            let signals = signals.handle();
            thread::spawn(move || {
                parent.wait();
                signals.close();
            });
        }
        match signals.forever().next() {
            Some(_) => {
                tracing::info!(grace = ?self.grace, "draining; a second signal stops at once");
            }
            None => tracing::info!(grace = ?self.grace, "the parent has ended: draining"),
        }
        service_manager::notify(STOPPING);
        self.end(&master, workers, signals);
        // It stays if something else is in it.
        let _ = fs::remove_dir(&directory);
        Ok(())
    }

    fn start(&self, backend: &str) -> Result<Workers, Failure> {
        let words = (self.command.iter()).map(|word| match word.to_str() {
            Some(word) => word.replace("{endpoint}", backend).into(),
            None => word.clone(),
        });
        let mut words = words.collect::<Vec<OsString>>().into_iter();
        let program = words.next().unwrap_or_default();
        let mut builder = Workers::builder(&program)
            .args(words)
            .env("POWERHOSE_CONNECT", backend)
            .count(self.workers.into())
            .grace(self.grace)
            // What callers send may crash workers: that must not end the pool for good, and the backoff bounds what it costs.
            .start_retries(None);
        if self.json {
            let errors = io::stderr().as_fd().try_clone_to_owned();
            let errors =
                errors.map_err(|error| Failure::system("duplicate standard error", &error))?;
            builder = builder.stdout(Output::To(File::from(errors)));
        }
        (builder.start()).map_err(|error| Failure::new(ExitCode::NoInput, error.to_string()))
    }

    fn end(&self, master: &Arc<StandaloneMaster>, workers: Workers, mut signals: Signals) {
        let until = now() + self.grace;
        let is_hurried = Arc::new(AtomicBool::new(false));
        {
            let (master, is_hurried) = (Arc::clone(master), Arc::clone(&is_hurried));
            thread::spawn(move || {
                if signals.forever().next().is_some() {
                    is_hurried.store(true, Ordering::Relaxed);
                    master.begin_shutdown(Duration::ZERO);
                }
            });
        }
        let jobs = master.shutdown_blocking(self.grace);
        let left = match is_hurried.load(Ordering::Relaxed) {
            true => Duration::ZERO,
            false => until.saturating_duration_since(now()),
        };
        let processes = workers.stop_blocking(left);
        tracing::info!(
            jobs.finished,
            jobs.aborted,
            processes.stopped,
            processes.killed,
            "ended"
        );
    }

    fn tell(&self, event: &Event) {
        if self.json {
            tell(event);
        }
    }
}

fn tell(event: &Event) {
    if let Err(failure) = output::json(event) {
        tracing::warn!("{failure}");
    }
}

/// Tells of the ends of workers.
fn report(mut exits: Exits) {
    while let Some(exit) = exits.next_blocking() {
        if let (false, AfterExit::Restart { after }) = (exit.requested, exit.next) {
            tell(&Event::WorkerEnded {
                pid: exit.pid,
                cause: exit.cause.to_string(),
                restart_after_ms: after.as_millis().try_into().unwrap_or(u64::MAX),
            });
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a command keeps the time that its user gave it"
)]
fn now() -> Instant {
    Instant::now()
}
