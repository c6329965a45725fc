//! The running service: listener, application, job runner and worker processes, started in the order
//! in which they need each other and stopped the other way round.

use std::{env, path::PathBuf, sync::Arc, time::Duration};

use powerhose::{
    Exits, JobRunner, Workers,
    service_manager::{self, notify},
};
use sysexits::ExitCode;
use tempfile::TempDir;
use token_server_web::{
    App, Identities,
    access::AccessLists,
    app, metrics,
    server::{self, Drained},
    settings::{NodeUrl, Settings},
    store::{NewNode, Seeded, Store},
};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::{failure::Failure, listen};

/// What workers get to register after their start.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// What workers get to finish once the last request has its answer: no more than one job each can be
/// left.
const WORKER_GRACE: Duration = Duration::from_secs(5);

/// What the database gets to close its file.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) struct Service {
    app: App,
    runner: JobRunner,
    listener: TcpListener,
    /// Where `/metrics` has a listener of its own.
    metrics: Option<TcpListener>,
    url: String,
    workers: Workers,
    /// Holds the socket that workers register at, for its owner alone.
    _directory: Option<TempDir>,
}

pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("start threads", &error))
}

impl Service {
    /// Starts everything. Requests are accepted from [`run`](Self::run) on.
    pub(crate) async fn start(settings: Settings, listener: TcpListener) -> Result<Self, Failure> {
        let url = format!("http://{}", listen::address(&listener)?);
        let metrics = match settings.metrics.listen {
            Some(address) => {
                Some(listen::listen(address, "set metrics.listen to another one").await?)
            }
            None => None,
        };
        let store = Store::open(&settings.database, settings.nodes.capacity_release_rate).await?;
        seed(&store, &settings).await?;
        let identities = Identities::new(&settings)?;
        let access = AccessLists::open(&settings.users, &store).await?;
        let (directory, endpoint) = match &settings.workers.endpoint {
            Some(endpoint) => (None, endpoint.clone()),
            None => {
                let directory = private_directory()?;
                let endpoint = format!("ipc://{}", directory.path().join("workers").display());
                (Some(directory), endpoint)
            }
        };
        let runner = JobRunner::bind(endpoint)?;
        let workers = start_workers(&runner, &settings).await?;
        Ok(Self {
            app: App::new(
                settings,
                store,
                identities,
                access,
                Arc::new(runner.clone()),
            ),
            runner,
            listener,
            metrics,
            url,
            workers,
            _directory: directory,
        })
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    pub(crate) fn runner(&self) -> &JobRunner {
        &self.runner
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn endpoints(&self) -> &[String] {
        self.runner.endpoints()
    }

    pub(crate) fn worker_pids(&self) -> Vec<u32> {
        self.workers.pids()
    }

    /// Answers requests until `stop` completes, then drains. `abort` ends that at once.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>, abort: impl Future<Output = ()>) {
        let settings = &self.app.settings().http;
        let stop = async {
            stop.await;
            notify(service_manager::STOPPING);
            tracing::info!("stopping");
        };
        let observed = tokio::spawn(observe(self.app.clone(), self.metrics));
        let serving = server::serve(self.listener, app(self.app.clone()), settings, stop);
        let grace = tokio::select! {
            drained = serving => {
                if drained == Drained::CutShort {
                    tracing::warn!("requests were cut off: http.drain_timeout has passed");
                }
                WORKER_GRACE
            }
            () = abort => Duration::ZERO,
        };
        observed.abort();
        // No request is left, so no job is. Workers go first: without their master they would worry.
        let report = self.workers.stop(grace).await;
        tracing::debug!(?report, "workers stopped");
        let report = self.runner.shutdown(grace).await;
        tracing::debug!(?report, "jobs ended");
        // Folds the journal in; a query that hangs must not keep the process from ending.
        let closing = self.app.store().close();
        if tokio::time::timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            tracing::warn!("the database is still in use");
        }
    }
}

/// Serves `/metrics` where it has a listener of its own, until aborted.
async fn observe(app: App, listener: Option<TcpListener>) {
    let Some(listener) = listener else {
        return app.upkeep().await;
    };
    let router = metrics::app(app.clone());
    let settings = &app.settings().http;
    tokio::join!(
        app.upkeep(),
        server::serve(listener, router, settings, std::future::pending())
    );
}

/// Gives the applications their first nodes, where the settings name them.
async fn seed(store: &Store, settings: &Settings) -> Result<(), Failure> {
    for (name, application) in &settings.applications {
        let Some(url) = application.init_node_url.as_ref().map(NodeUrl::as_str) else {
            continue;
        };
        let version = &application.version;
        let default_pattern = format!("{{node}}/{version}/{{uid}}");
        let pattern = application.endpoint.as_ref().unwrap_or(&default_pattern);
        let capacity = i64::from(application.init_node_capacity.get());
        let node = NewNode {
            url: url.to_owned(),
            capacity,
            available: settings.nodes.capacity_release_rate.of(capacity),
            ..NewNode::default()
        };
        let service = format!("{name}-{version}");
        match store.seed(&service, pattern, &node).await? {
            Seeded::Added => tracing::info!(service, node = url, "added its first node"),
            Seeded::Known => {}
            Seeded::HasOthers => tracing::warn!(
                service,
                node = url,
                "has other nodes, so init_node_url is not added; do that with: token-server add-node"
            ),
        }
    }
    Ok(())
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
    let workers = Workers::builder(program)
        .args(["worker", "--connect", &endpoint])
        .args(["--log", &settings.log.filter])
        .count(count)
        .grace(WORKER_GRACE)
        // Assertions come from anyone; a server must not end up without workers because of one.
        .start_retries(None)
        .start()
        .map_err(|error| Failure::new(ExitCode::OsErr, error.to_string()))?;
    tokio::spawn(watch(workers.exits(), runner.clone()));
    match runner.wait_for_workers(count, START_TIMEOUT).await {
        Ok(()) => Ok(workers),
        Err(error) => {
            workers.stop(WORKER_GRACE).await;
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
