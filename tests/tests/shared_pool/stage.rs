//! A standalone master, crypto workers and token servers, each a process of its own.

use std::process::Command;
use std::time::{Duration, Instant};

use powerhose::Report;
use reqwest::header::{AUTHORIZATION, RETRY_AFTER};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tests::binaries::binary;
use tests::paths;
use tests::process::{PATIENCE, Process};
use token_server_web::settings::{Settings, Sources};
use token_server_web::store::{NewNode, Store};

use crate::gateway::publish;

/// The directory that everything lies in, and the issuers' side of it.
pub(crate) struct Stage {
    directory: TempDir,
    gateway: String,
    assertion: String,
    client: reqwest::Client,
}

/// A token server and where it answers.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) url: String,
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: String,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let path = paths::repository().join("tests/vectors/browserid_assertions.json");
        let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
        let vectors: Value = serde_json::from_str(&text).expect("JSON");
        let case = &vectors["cases"][0];
        assert_eq!(case["expect"], "accept");
        let stage = Self {
            directory: tempfile::tempdir().expect("a directory"),
            gateway: publish(vectors["documents"].clone()).await,
            assertion: case["assertion"].as_str().expect("text").to_owned(),
            client: reqwest::Client::builder()
                .no_proxy()
                .tls_certs_only([])
                .timeout(PATIENCE)
                .build()
                .expect("a client"),
        };
        stage.add_node().await;
        stage
    }

    pub(crate) fn path(&self, name: &str) -> String {
        let path = self.directory.path().join(name);
        path.to_str().expect("text").to_owned()
    }

    pub(crate) fn frontend(&self) -> String {
        format!("ipc://{}", self.path("frontend"))
    }

    pub(crate) fn backend(&self) -> String {
        format!("ipc://{}", self.path("backend"))
    }

    /// The settings that every server here has.
    fn settings(&self) -> Vec<(String, String)> {
        [
            ("database.url", format!("sqlite:{}", self.path("users.db"))),
            (
                "browserid.audience",
                "https://token.example.test".to_owned(),
            ),
            ("browserid.gateway", self.gateway.clone()),
            ("secrets.token", "secret0".to_owned()),
            ("secrets.metrics", "metrics-secret-1".to_owned()),
            ("metrics.shared", "true".to_owned()),
            ("http.listen", "127.0.0.1:0".to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .to_vec()
    }

    async fn add_node(&self) {
        let settings = Settings::load(&Sources {
            assignments: self.settings(),
            ..Sources::default()
        });
        let settings = settings.expect("good settings");
        let store = Store::open(&settings.database, settings.nodes.capacity_release_rate)
            .await
            .expect("a database");
        let sync = store.service("sync-1.5").await.expect("it answers");
        let node = NewNode {
            url: "https://node1.example.test".to_owned(),
            capacity: 100_000,
            available: 100_000,
            ..NewNode::default()
        };
        let added = store.add_node(sync.expect("Sync is known").id, &node).await;
        added.expect("a node");
        store.close().await;
    }

    /// A program of the project, without the test's environment.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary(program));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("POWERHOSE_") || name.starts_with("TOKEN_SERVER_") {
                command.env_remove(name);
            }
        }
        command.current_dir(&self.directory).args(arguments);
        command
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) {
        let mut process = Process::start(&mut self.command(program, arguments));
        let status = process.wait();
        assert!(status.success(), "{arguments:?}: {}", process.output());
    }

    /// A master that listens. What it wrote then.
    pub(crate) fn master(&self, frontend: &str, backend: &str, more: &[&str]) -> (Process, String) {
        let arguments = ["master", "--frontend", frontend, "--backend", backend];
        let arguments = [&arguments[..], more].concat();
        let mut master = Process::start(&mut self.command("powerhose", &arguments));
        let is_ready = |line: &str| line.contains("ready").then(|| line.to_owned());
        let ready = master.expect("listening master", is_ready);
        (master, ready)
    }

    pub(crate) fn worker(&self, backend: &str, more: &[&str]) -> Process {
        let arguments = ["worker", "--connect", backend, "--slots", "2"];
        let arguments = [&arguments[..], more].concat();
        Process::start(&mut self.command("token-server", &arguments))
    }

    /// A server that takes its workers from `master`.
    pub(crate) fn server(&self, master: &str, more: &[(&str, &str)]) -> Server {
        let mut command = self.command("token-server", &["serve", "--json"]);
        for (key, value) in self.settings() {
            command.args(["--set", &format!("{key}={value}")]);
        }
        command.args(["--set", &format!("workers.master={master}")]);
        for (key, value) in more {
            command.args(["--set", &format!("{key}={value}")]);
        }
        let mut process = Process::start(&mut command);
        let url = process.expect("address", |line| {
            let ready: Value = serde_json::from_str(line).ok()?;
            assert_eq!(ready["worker_pids"], serde_json::json!([]), "{ready}");
            Some(ready["url"].as_str()?.to_owned())
        });
        Server { process, url }
    }

    pub(crate) async fn get(&self, server: &str, path: &str) -> Answer {
        let request = self.client.get(format!("{server}{path}"));
        let request = request.header(AUTHORIZATION, format!("BrowserID {}", self.assertion));
        let response = request.send().await.expect("an answer");
        let retry_after = response.headers().get(RETRY_AFTER);
        Answer {
            status: response.status().as_u16(),
            retry_after: retry_after.map(|value| value.to_str().expect("a number").to_owned()),
            body: response.text().await.expect("a body"),
        }
    }

    /// Trades the assertion for a token.
    pub(crate) async fn trade(&self, server: &str) -> Answer {
        self.get(server, "/1.0/sync/1.5").await
    }

    /// Waits until a token is got there.
    pub(crate) async fn trades_again(&self, server: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.trade(server).await;
            if answer.status == 200 {
                return;
            }
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(Instant::now() < until, "no token again: {answer:?}");
        }
    }

    /// Stops a worker so that it keeps the next jobs it is given, and kills it with these in its hands.
    pub(crate) async fn kill_with_jobs(&self, mut worker: Process) {
        worker.signal(Signal::STOP);
        let until = Instant::now() + PATIENCE;
        loop {
            let frontend = self.frontend();
            let report = tokio::task::spawn_blocking(move || Report::ask(&frontend, PATIENCE));
            let report = report.await.expect("no panic").expect("a report");
            let mine =
                |worker_pid: u32| move |other: &&powerhose::WorkerReport| other.pid == worker_pid;
            let held = report.workers.iter().find(mine(worker.id()));
            if held.is_some_and(|worker| worker.in_flight > 0) {
                break;
            }
            assert!(Instant::now() < until, "the worker was never given a job");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        worker.signal(Signal::KILL);
        worker.wait();
    }
}
