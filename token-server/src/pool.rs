//! Where the server's jobs are done: by worker processes of its own, or by those of a standalone master.

use std::{env, path::PathBuf, sync::Arc, time::Duration};

use powerhose::{Client, Exits, JobRunner, Workers};
use sysexits::ExitCode;
use tempfile::TempDir;
use token_server_web::{
    jobs::Jobs,
    settings::{LogFormat, Settings},
};

use crate::failure::Failure;

/// What workers get to register after their start, and a standalone master to answer.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// What workers get to finish once the last request has its answer: no more than one job each can be
/// left.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

pub(crate) enum Pool {
    Own(Own),
    Shared(Client),
}

/// Workers that are child processes, and their master in this process.
pub(crate) struct Own {
    runner: JobRunner,
    workers: Workers,
    /// Holds the socket that workers register at, for its owner alone.
    _directory: Option<TempDir>,
}

impl Pool {
    /// Starts workers and waits for them, or connects to a master.
    pub(crate) async fn start(settings: &Settings) -> Result<Self, Failure> {
        match settings.workers.client() {
            Some(client) => {
                let client = client.start()?;
                wait_for_master(&client).await;
                Ok(Self::Shared(client))
            }
            None => Own::start(settings).await.map(Self::Own),
        }
    }

    pub(crate) fn jobs(&self) -> Arc<dyn Jobs> {
        match self {
            Self::Own(own) => Arc::new(own.runner.clone()),
            Self::Shared(client) => Arc::new(client.clone()),
        }
    }

    /// The master, if it is in this process.
    pub(crate) fn runner(&self) -> Option<&JobRunner> {
        match self {
            Self::Own(own) => Some(&own.runner),
            Self::Shared(_) => None,
        }
    }

    /// Where workers of this server register.
    pub(crate) fn endpoints(&self) -> &[String] {
        self.runner().map_or(&[], JobRunner::endpoints)
    }

    /// The standalone masters.
    pub(crate) fn masters(&self) -> &[String] {
        match self {
            Self::Own(_) => &[],
            Self::Shared(client) => client.endpoints(),
        }
    }

    pub(crate) fn worker_pids(&self) -> Vec<u32> {
        match self {
            Self::Own(own) => own.workers.pids(),
            Self::Shared(_) => Vec::new(),
        }
    }

    /// Ends the workers, or takes leave of the master. Jobs have `grace` to end.
    pub(crate) async fn stop(self, grace: Duration) {
        match self {
            Self::Own(own) => own.stop(grace).await,
            Self::Shared(client) => {
                let report = client.close(grace).await;
                tracing::debug!(?report, "jobs ended");
            }
        }
    }
}

/// A master that is away now may come back later, so the server starts without it, and says so.
async fn wait_for_master(client: &Client) {
    let reached = tokio::time::timeout(START_TIMEOUT, client.master_reached());
    if reached.await.is_err() {
        tracing::warn!(
            masters = %client.endpoints().join(", "),
            "no master answers: see that one runs there and, over tcp, that it admits this server's key; requests get 503 until it does"
        );
    }
}

impl Own {
    async fn start(settings: &Settings) -> Result<Self, Failure> {
        let (directory, endpoint) = match &settings.workers.endpoint {
            Some(endpoint) => (None, endpoint.clone()),
            None => {
                let directory = private_directory()?;
                let endpoint = format!("ipc://{}", directory.path().join("workers").display());
                (Some(directory), endpoint)
            }
        };
        let runner = JobRunner::bind(endpoint)?;
        let workers = start_workers(&runner, settings).await?;
        Ok(Self {
            runner,
            workers,
            _directory: directory,
        })
    }

    /// Workers go first: without their master they would worry.
    async fn stop(self, grace: Duration) {
        let report = self.workers.stop(grace).await;
        tracing::debug!(?report, "workers stopped");
        let report = self.runner.shutdown(grace).await;
        tracing::debug!(?report, "jobs ended");
    }
}

/// A directory that only its owner can enter, removed at the end, with a path short enough for sockets.
fn private_directory() -> Result<TempDir, Failure> {
    let parent = env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|directory| directory.is_dir())
        .unwrap_or_else(env::temp_dir);
    tempfile::Builder::new()
        .prefix("token-server-")
        .tempdir_in(&parent)
        .map_err(|error| {
            Failure::new(
                ExitCode::CantCreat,
                format!(
                    "cannot make a directory in {}: {error}; set XDG_RUNTIME_DIR to a directory that this user may write to",
                    parent.display()
                ),
            )
        })
}

async fn start_workers(runner: &JobRunner, settings: &Settings) -> Result<Workers, Failure> {
    let count = settings.workers.count;
    let program =
        env::current_exe().map_err(|error| Failure::system("find this program's file", &error))?;
    let endpoint = runner.endpoints().first().cloned().unwrap_or_default();
    let log_format = match settings.log.format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    let workers = Workers::builder(program)
        .args(["worker", "--connect", &endpoint])
        .args(["--log", &settings.log.filter])
        .args(["--log-format", log_format])
        .count(count)
        .grace(GRACE)
        // Assertions come from anyone; a server must not end up without workers because of one.
        .start_retries(None)
        .start()
        .map_err(|error| Failure::new(ExitCode::OsErr, error.to_string()))?;
    tokio::spawn(watch(workers.exits(), runner.clone()));
    match runner.wait_for_workers(count, START_TIMEOUT).await {
        Ok(()) => Ok(workers),
        Err(error) => {
            workers.stop(GRACE).await;
            Err(Failure::new(
                ExitCode::Unavailable,
                format!("the crypto workers did not start: {error}; see their messages above"),
            ))
        }
    }
}

/// Tells the runner at once whom it has lost, and the log why.
async fn watch(mut exits: Exits, runner: JobRunner) {
    while let Some(exit) = exits.next().await {
        if let Some(pid) = exit.pid {
            runner.exited(pid);
        }
        if !exit.requested {
            tracing::warn!(pid = exit.pid, cause = %exit.cause, "a crypto worker is gone");
        }
    }
}
