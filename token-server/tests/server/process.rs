use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use reqwest::{RequestBuilder, Response, StatusCode};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;
use token_server_web::{
    settings::{Settings, Sources},
    store::{NewNode, Store},
};
use tokio::net::TcpSocket;

/// Longer than anything takes here unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const TOKEN_SECRET: &str = "secret0";

/// When an answer is late.
const LATE: Duration = Duration::from_secs(1);

/// A verdict that takes longer becomes 503, which is nobody's verdict.
pub(crate) const WITHIN_A_SECOND: [(&str, &str); 2] = [
    ("http.request_timeout", "1s"),
    ("browserid.documents.timeout", "900ms"),
];

/// The program under test.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-server"));
    // A backtrace where a line is promised would show.
    command.env("RUST_BACKTRACE", "1");
    command
}

/// A running program, stopped when the test is through with it.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// The JSON that it printed when it was ready.
    pub(crate) ready: Value,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .arg("--json")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("not ready; it wrote {line:?}, its log is above"));
        Self {
            child,
            stdout,
            ready,
        }
    }

    pub(crate) fn url(&self) -> &str {
        self.ready["url"].as_str().unwrap()
    }

    pub(crate) fn worker_pids(&self) -> Vec<Pid> {
        let pids = self.ready["worker_pids"].as_array().unwrap();
        pids.iter()
            .map(|pid| Pid::from_raw(i32::try_from(pid.as_i64().unwrap()).unwrap()).unwrap())
            .collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end. What else it printed.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = wait(&mut self.child);
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (status, rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // In order, so that it removes its files.
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::TERM);
            wait(&mut self.child);
        }
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(start.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until no process has that id.
pub(crate) fn wait_until_gone(pid: Pid) {
    let start = Instant::now();
    while test_kill_process(pid).is_ok() {
        assert!(start.elapsed() < PATIENCE, "process {pid:?} lives on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A server with a database of its own and one node.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) directory: TempDir,
}

impl Server {
    /// `assignments` are settings like those of the command line.
    pub(crate) async fn start(assignments: &[(&str, &str)]) -> Self {
        Self::start_with(assignments, |_| true).await
    }

    /// The same, for a server that takes no assertions.
    pub(crate) async fn start_without_browserid(assignments: &[(&str, &str)]) -> Self {
        Self::start_with(assignments, |key| !key.starts_with("browserid.")).await
    }

    /// Only those of the needed settings are given that are `wanted`.
    async fn start_with(assignments: &[(&str, &str)], wanted: fn(&str) -> bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        add_node(directory.path(), assignments).await;
        Self::start_in(directory, assignments, wanted, Stdio::inherit()).await
    }

    /// A server whose log goes there.
    pub(crate) async fn start_logging(log: File, assignments: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        add_node(directory.path(), assignments).await;
        Self::start_in(directory, assignments, |_| true, log.into()).await
    }

    /// A server on a database that has its nodes already, or gets them from the settings.
    pub(crate) async fn start_beside(assignments: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::start_in(directory, assignments, |_| true, Stdio::inherit()).await
    }

    /// The same, for a server whose tokens are signed with another kind of secret.
    pub(crate) async fn start_beside_without_secret(assignments: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let wanted = |key: &str| key != "secrets.token";
        Self::start_in(directory, assignments, wanted, Stdio::inherit()).await
    }

    async fn start_in(
        directory: TempDir,
        assignments: &[(&str, &str)],
        wanted: fn(&str) -> bool,
        log: Stdio,
    ) -> Self {
        let mut command = program();
        command.stderr(log);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        // Where a server that is killed leaves its sockets.
        command
            .env("TMPDIR", directory.path())
            .env_remove("XDG_RUNTIME_DIR");
        let needed = needed(directory.path()).into_iter();
        for (key, value) in needed.filter(|(key, _)| wanted(key)) {
            command.args(["--set", &format!("{key}={value}")]);
        }
        for (key, value) in assignments {
            command.args(["--set", &format!("{key}={value}")]);
        }
        let running = tokio::task::spawn_blocking(|| Running::start(command));
        Self {
            running: running.await.unwrap(),
            directory,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url())
    }
}

/// The settings that have no default, and few workers.
pub(crate) fn needed(directory: &Path) -> Vec<(&'static str, String)> {
    vec![
        (
            "database.url",
            format!("sqlite:{}", database(directory).display()),
        ),
        (
            "browserid.audience",
            "https://token.example.test".to_owned(),
        ),
        ("secrets.token", TOKEN_SECRET.to_owned()),
        ("secrets.metrics", "metrics-secret-1".to_owned()),
        ("workers.count", "2".to_owned()),
        ("log.filter", "warn".to_owned()),
    ]
}

pub(crate) fn database(directory: &Path) -> PathBuf {
    directory.join("users.db")
}

pub(crate) async fn add_node(directory: &Path, assignments: &[(&str, &str)]) {
    let needed = needed(directory).into_iter();
    let needed = needed.map(|(key, value)| (key.to_owned(), value));
    let given = assignments
        .iter()
        .filter(|(key, _)| key.starts_with("database."));
    let given = given.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let settings = Settings::load(&Sources {
        assignments: needed.chain(given).collect(),
        ..Sources::default()
    })
    .unwrap();
    let store = Store::open(&settings.database, settings.nodes.capacity_release_rate)
        .await
        .unwrap();
    let service = store.service("sync-1.5").await.unwrap().unwrap();
    let node = NewNode {
        url: "https://node1.example.test".to_owned(),
        capacity: 100_000,
        available: 100_000,
        ..NewNode::default()
    };
    store.add_node(service.id, &node).await.unwrap();
    store.close().await;
}

/// A client that follows nothing and waits for nothing longer than the test does.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .unwrap()
}

/// Asks until there is a verdict: now the workers are there, and what has to be fetched was.
pub(crate) async fn warm_up(request: RequestBuilder) {
    let start = Instant::now();
    loop {
        let request = request.try_clone().unwrap();
        if request.send().await.unwrap().status() != StatusCode::SERVICE_UNAVAILABLE {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "it does not get warm");
    }
}

/// An address where nobody listens, for as long as its socket lives.
pub(crate) fn closed_door() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, url)
}

/// The answer to a request, which has to come within a second. Should it be late it is asked for once more:
/// what takes long by itself takes as long again, and the machine seldom stalls twice.
pub(crate) async fn answered(request: RequestBuilder) -> Response {
    let again = request.try_clone().unwrap();
    let start = Instant::now();
    let response = request.send().await.unwrap();
    if start.elapsed() < LATE {
        return response;
    }
    let start = Instant::now();
    let response = again.send().await.unwrap();
    assert!(start.elapsed() < LATE, "late twice: {response:?}");
    response
}

/// The body of an answer.
pub(crate) async fn json(response: Response) -> Value {
    let body = response.bytes().await.unwrap();
    serde_json::from_slice(&body)
        .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&body)))
}
