//! The processes under load: this program in another role.

use std::env;
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::routing::get;
use powerhose::{Job, JobRunner, Worker, Workers};
use serde::{Deserialize, Serialize};
use serde_json::json;
use token_server_web::access::AccessLists;
use token_server_web::jobs::Jobs;
use token_server_web::settings::{Settings, Sources};
use token_server_web::store::{NewNode, Store, StoreError};
use token_server_web::{App, Identities, app, server};
use tokio::net::TcpListener;
use workers::crypto;

use crate::Error;
use crate::campaign::Crypto;
use crate::credentials::AUDIENCE;
use crate::in_process::{Blocking, Inline};

/// Says to a process, as JSON, what server it shall be.
const SERVER: &str = "POWERHOSE_ISSUANCE_SERVER";

/// Names the endpoint to a process that shall be a worker.
const WORKER: &str = "POWERHOSE_ISSUANCE_WORKER";

/// How long workers may take to register.
const PATIENCE: Duration = Duration::from_secs(20);

/// What server it shall be.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Wanted {
    /// `None` for one that says hello.
    pub(crate) crypto: Option<Crypto>,
    /// Where support documents are.
    pub(crate) gateway: String,
    /// Where the access tokens' keys are.
    pub(crate) jwks: PathBuf,
    pub(crate) workers: usize,
    /// `None` for a new file.
    pub(crate) database: Option<String>,
}

/// What the process says when it answers requests.
#[derive(Serialize, Deserialize)]
struct Ready {
    address: SocketAddr,
    workers: Vec<u32>,
}

/// A server, which stops when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// All its processes.
    pub(crate) processes: Vec<u32>,
    child: Child,
}

impl Server {
    /// Starts one that keeps its files in `directory`.
    pub(crate) fn start(directory: &Path, wanted: &Wanted) -> Result<Self, Error> {
        let mut child = Command::new(env::current_exe()?)
            .env(SERVER, serde_json::to_string(wanted)?)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let ready: Ready = serde_json::from_str(&line)
            .map_err(|_| "a server did not start; its messages are above")?;
        let mut processes = ready.workers;
        processes.push(child.id());
        Ok(Self {
            address: ready.address,
            processes,
            child,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input tells it to stop.
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            eprintln!("issuance: cannot wait for a server: {error}");
        }
    }
}

/// Makes this process what it was started as, if it was started by another one. To be called first in `main`.
pub(crate) fn become_child() -> Option<ExitCode> {
    let outcome = if let Ok(endpoint) = env::var(WORKER) {
        work(&endpoint)
    } else if let Ok(wanted) = env::var(SERVER) {
        serve(&wanted)
    } else {
        return None;
    };
    Some(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("issuance: {error}");
            ExitCode::FAILURE
        }
    })
}

fn work(endpoint: &str) -> Result<(), Error> {
    let builder = crypto::SERVICES
        .iter()
        .fold(Worker::builder(), |builder, service| {
            builder.service(*service)
        });
    let worker = builder
        .connect(endpoint)
        .handler(|job: Job| Ok(crypto::handle(job.service(), job.body())?.into()));
    worker.run()?;
    Ok(())
}

/// Serves until its input ends.
#[tokio::main]
async fn serve(wanted: &str) -> Result<(), Error> {
    let wanted: Wanted = serde_json::from_str(wanted)?;
    tracing_subscriber::fmt()
        .with_env_filter("info")
        .with_writer(std::io::stderr)
        .init();
    let settings = settings(&wanted)?;
    let http = settings.http.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut workers = None;
    let router = match wanted.crypto {
        None => Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/__lbheartbeat__", get(|| async { Json(json!({})) })),
        Some(place) => {
            let jobs: Arc<dyn Jobs> = match place {
                Crypto::Inline => Arc::new(Inline),
                Crypto::SpawnBlocking => Arc::new(Blocking),
                Crypto::Offloaded => {
                    let (runner, started) = offload(wanted.workers).await?;
                    workers = Some(started);
                    Arc::new(runner)
                }
            };
            application(settings, jobs).await?
        }
    };
    let pids = workers.as_ref().map(Workers::pids).unwrap_or_default();
    let ready = serde_json::to_string(&Ready {
        address,
        workers: pids,
    })?;
    writeln!(stdout(), "{ready}")?;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut line = String::new();
        while matches!(stdin().read_line(&mut line), Ok(length) if length > 0) {}
        drop(end);
    });
    server::serve(listener, router, &http, async { drop(ended.await) }).await;
    if let Some(workers) = workers {
        workers.stop(Duration::from_secs(5)).await;
    }
    Ok(())
}

async fn application(settings: Settings, jobs: Arc<dyn Jobs>) -> Result<Router, Error> {
    let store = Store::open(&settings.database, settings.nodes.capacity_release_rate).await?;
    let sync = store.service("sync-1.5").await?;
    let sync = sync.ok_or("the database does not know Sync")?;
    let node = NewNode {
        url: "https://node1.example.test".to_owned(),
        capacity: 100_000,
        available: 100_000,
        ..NewNode::default()
    };
    match store.add_node(sync.id, &node).await {
        // A database that was here before.
        Err(StoreError::NodeExists(_)) => {}
        added => drop(added?),
    }
    let identities = Identities::new(&settings)?;
    let access = AccessLists::open(&settings.users, &store).await?;
    Ok(app(App::new(settings, store, identities, access, jobs)))
}

async fn offload(count: usize) -> Result<(JobRunner, Workers), Error> {
    let endpoint = format!("ipc://{}/jobs", env::current_dir()?.display());
    let runner = JobRunner::bind(&endpoint)?;
    let workers = Workers::builder(env::current_exe()?)
        .env(WORKER, &endpoint)
        .count(count)
        .start()?;
    runner.wait_for_workers(count, PATIENCE).await?;
    Ok((runner, workers))
}

fn settings(wanted: &Wanted) -> Result<Settings, Error> {
    let file = || Ok::<_, Error>(format!("sqlite:{}/users.db", env::current_dir()?.display()));
    let database = wanted.database.clone().map_or_else(file, Ok)?;
    let jwks = wanted.jwks.display().to_string();
    let assignments = [
        ("database.url", database.as_str()),
        ("browserid.audience", AUDIENCE),
        ("browserid.gateway", &wanted.gateway),
        ("oauth.server_url", "http://127.0.0.1:9"),
        ("oauth.email_domain", "accounts.example.test"),
        ("oauth.jwks_file", &jwks),
        ("secrets.token", "secret0"),
        ("secrets.metrics", "metrics-secret-1"),
    ];
    let assignments = assignments.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Ok(Settings::load(&Sources {
        assignments: assignments.into(),
        ..Sources::default()
    })?)
}
