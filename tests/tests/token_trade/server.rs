//! The token server's HTTP tier in this process, so that a test can look at its runner, with real worker processes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use powerhose::{JobRunner, Workers};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tests::binaries::binary;
use tests::process::PATIENCE;
use token_server_web::settings::{Settings, Sources};
use token_server_web::store::{NewNode, Store};
use token_server_web::{App, Identities, access::AccessLists, app, server};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::gateway::publish;

/// What the server signs its tokens with.
pub(crate) const SECRET: &str = "secret0";

/// Who may sign: also the old, short keys.
const ALGORITHMS: &str = r#"["RS64", "RS128", "RS256", "DS128", "DS256"]"#;

pub(crate) struct Server {
    pub(crate) runner: JobRunner,
    pub(crate) workers: Workers,
    pub(crate) url: String,
    stop: oneshot::Sender<()>,
    directory: TempDir,
}

impl Server {
    /// A server with so many crypto workers, that fetches the support documents of `vectors`.
    pub(crate) async fn start(vectors: &Value, workers: usize, limits: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a folder for the server");
        let gateway = publish(vectors["documents"].clone()).await;
        let settings = settings(directory.path(), &gateway, limits);
        let store = Store::open(&settings.database, settings.nodes.capacity_release_rate)
            .await
            .expect("a database");
        let service = store
            .service("sync-1.5")
            .await
            .expect("it answers")
            .expect("Sync is known");
        let node = NewNode {
            url: "https://node1.example.test".to_owned(),
            capacity: 100_000,
            available: 100_000,
            ..NewNode::default()
        };
        store.add_node(service.id, &node).await.expect("a node");

        let endpoint = format!("ipc://{}/workers", directory.path().display());
        let runner = JobRunner::bind(&endpoint).expect("the endpoint is free");
        let pool = Workers::builder(binary("token-server"))
            .args(["worker", "--connect", &endpoint])
            .count(workers)
            .start()
            .expect("workers start");
        runner
            .wait_for_workers(workers, PATIENCE)
            .await
            .expect("workers register");

        let identities = Identities::new(&settings).expect("a client");
        let access = AccessLists::open(&settings.users, &store)
            .await
            .expect("no lists");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let http = settings.http.clone();
        let router = app(App::new(
            settings,
            store,
            identities,
            access,
            Arc::new(runner.clone()),
        ));
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(async move {
            server::serve(listener, router, &http, async { drop(stopped.await) }).await
        });
        Self {
            runner,
            workers: pool,
            url,
            stop,
            directory,
        }
    }

    /// Empties the table of users.
    pub(crate) async fn forget_users(&self) {
        let file = SqliteConnectOptions::new().filename(self.directory.path().join("users.db"));
        let mut database = SqliteConnection::connect_with(&file)
            .await
            .expect("a database");
        let deleted = sqlx::raw_sql("DELETE FROM users")
            .execute(&mut database)
            .await;
        deleted.expect("the table is there");
        database.close().await.expect("it was open");
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.runner.shutdown(Duration::from_secs(5)).await;
        self.workers.stop(Duration::from_secs(5)).await;
    }
}

fn settings(directory: &Path, gateway: &str, limits: &[(&str, &str)]) -> Settings {
    let database = format!("sqlite:{}/users.db", directory.display());
    let assignments = [
        ("database.url", database.as_str()),
        ("browserid.audience", "https://token.example.test"),
        ("browserid.gateway", gateway),
        ("browserid.algorithms", ALGORITHMS),
        ("secrets.token", SECRET),
        ("secrets.metrics", "metrics-secret-1"),
    ];
    let assignments = assignments.iter().chain(limits);
    Settings::load(&Sources {
        assignments: assignments
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..Sources::default()
    })
    .expect("the settings are fine")
}
