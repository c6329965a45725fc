//! Old records go, with what their nodes store, on every kind of database.

mod command;
mod records;

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::delete,
};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    database::{Database, Kind},
    process::{needed, program},
};

/// A storage node, as far as removing users goes.
#[derive(Clone, Default)]
struct Node {
    asked: Arc<Mutex<Vec<i64>>>,
    /// What it answers about a uid, instead of 200.
    moods: Arc<Mutex<BTreeMap<i64, u16>>>,
}

impl Node {
    /// Starts it. Its URL.
    async fn start(&self) -> String {
        let router = Router::new()
            .route("/1.5/{uid}", delete(remove))
            .with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    /// The uids that it was asked about, in order.
    fn asked(&self) -> Vec<i64> {
        self.asked.lock().unwrap().clone()
    }

    fn answer(&self, uid: i64, status: u16) {
        self.moods.lock().unwrap().insert(uid, status);
    }
}

async fn remove(State(node): State<Node>, Path(uid): Path<i64>, headers: HeaderMap) -> StatusCode {
    let authorization = headers["authorization"].to_str().unwrap();
    assert!(authorization.starts_with("Hawk id="), "{authorization}");
    node.asked.lock().unwrap().push(uid);
    let mood = node.moods.lock().unwrap().get(&uid).copied();
    StatusCode::from_u16(mood.unwrap_or(200)).unwrap()
}

/// The command, as operators run it against a database.
fn command(database: &Database, arguments: &[&str]) -> std::process::Command {
    let mut command = program();
    command.arg("purge-old-records").args(arguments);
    for (key, value) in needed(database.directory()) {
        command.args(["--set", &format!("{key}={value}")]);
    }
    command.args(["--set", &format!("database.url={}", database.url)]);
    command
}

/// One round: its exit code, its report, its messages.
async fn purge(database: &Database, arguments: &[&str]) -> (i32, Value, String) {
    let mut command = command(database, arguments);
    command.args(["--oneshot", "--json"]).stdin(Stdio::null());
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = run.await.unwrap();
    let messages = String::from_utf8(output.stderr).unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap(), report, messages)
}

/// A database with these nodes, numbered from 1, and a place taken for each of their users.
async fn database(kind: Kind, nodes: &[(&str, bool, i64)]) -> Database {
    let database = Database::make(kind).await;
    // Whatever opens it first makes the tables.
    let (code, report, messages) = purge(&database, &[]).await;
    assert_eq!(code, 0, "{messages}");
    assert_eq!(report["purged"], 0);
    for (url, downed, load) in nodes {
        database
            .script(&format!(
                "INSERT INTO nodes (service, node, available, current_load, capacity, downed, backoff) \
                 VALUES (1, '{url}', 10, {load}, 100, {}, 0)",
                i32::from(*downed)
            ))
            .await;
    }
    database
}

/// Adds records: account, client state, time of making, time of replacement, node.
async fn add(database: &Database, records: &[(&str, &str, i64, Option<i64>, i64)]) {
    for (email, state, created, replaced, node) in records {
        let replaced = replaced.map_or("NULL".to_owned(), |time| time.to_string());
        database
            .script(&format!(
                "INSERT INTO users (service, email, generation, client_state, created_at, replaced_at, nodeid, keys_changed_at) \
                 VALUES (1, '{email}', 7, '{state}', {created}, {replaced}, {node}, 5)"
            ))
            .await;
    }
}

/// The uids that are left.
async fn uids(database: &Database) -> Vec<i64> {
    let text = if database.kind == Kind::MySql {
        "CHAR"
    } else {
        "VARCHAR"
    };
    let query = format!("SELECT CAST(uid AS {text}) FROM users ORDER BY uid");
    let texts = database.texts(&query).await;
    texts.iter().map(|uid| uid.parse().unwrap()).collect()
}

async fn load(database: &Database, node: i64) -> (i64, i64) {
    let from = format!("FROM nodes WHERE id = {node}");
    (
        database.number("current_load", &from).await,
        database.number("available", &from).await,
    )
}

fn now_ms() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

const GONE: i64 = 99;
