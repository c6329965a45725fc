//! Old records go, with what their nodes store, on every kind of database.

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::delete,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    database::{Database, Kind},
    process::{PATIENCE, Running, needed, program},
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

#[tokio::test]
async fn old_records_go_with_their_data_and_give_their_places_back() {
    for kind in Kind::wanted() {
        let node = Node::default();
        let url = node.start().await;
        let down = "https://down.test";
        let database = database(kind, &[(&url, false, 4), (down, true, 1)]).await;
        let recently = now_ms() - 60_000;
        add(
            &database,
            &[
                // New keys, same node: the place is still taken.
                ("a@x.test", "aaaa", 5, Some(10), 1),
                ("a@x.test", "bbbb", 10, None, 1),
                // Moved away.
                ("b@x.test", "aaaa", 5, Some(20), 1),
                ("b@x.test", "aaaa", 20, None, 2),
                // A deleted account, after new keys.
                ("c@x.test", "aaaa", 5, Some(30), 1),
                ("c@x.test", "bbbb", 30, Some(31), 1),
                ("d@x.test", "aaaa", 5, Some(10), 2),
                ("e@x.test", "aaaa", 5, Some(10), GONE),
                ("f@x.test", "aaaa", 5, Some(recently), 1),
                // No token can have been made for it.
                ("g@x.test", "a-state", 5, Some(40), 1),
            ],
        )
        .await;
        // The node doesn't know this one.
        node.answer(3, 404);

        let (code, report, messages) = purge(&database, &["--max-per-loop", "2"]).await;
        assert_eq!(code, 0, "{kind:?}: {messages}");
        assert_eq!(node.asked(), [1, 3, 5, 6], "{kind:?}: oldest first");
        assert_eq!(uids(&database).await, [2, 4, 7, 9], "{kind:?}");
        assert_eq!(
            report,
            json!({
                "dry_run": false, "purged": 4, "forgotten": 2, "failed": 0, "skipped": 1,
                "stopped": false,
                "nodes": {
                    &url: { "purged": 4, "failed": 0, "skipped": 0, "problem": null, "downed": false },
                    down: { "purged": 0, "failed": 0, "skipped": 1, "problem": null, "downed": true },
                },
            }),
            "{kind:?}"
        );
        // b's, c's and g's places.
        assert_eq!(load(&database, 1).await, (1, 13), "{kind:?}");
        assert_eq!(load(&database, 2).await, (1, 10), "{kind:?}");

        let (code, report, _) = purge(&database, &["--grace-period", "30s"]).await;
        assert_eq!((code, &report["purged"]), (0, &json!(1)), "{kind:?}");
        assert_eq!(uids(&database).await, [2, 4, 7], "{kind:?}");
        database.remove().await;
    }
}

#[tokio::test]
async fn nodes_that_will_not_remove_data_keep_their_records_and_hold_up_nobody() {
    for kind in Kind::wanted() {
        let (good, strange) = (Node::default(), Node::default());
        let urls = [good.start().await, strange.start().await];
        // Nobody listens on the port of a socket that is only bound.
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let away = format!("http://{}", socket.local_addr().unwrap());
        drop(socket);
        let nodes = [
            (away.as_str(), false, 3),
            (&urls[0], false, 3),
            (&urls[1], false, 2),
        ];
        let database = database(kind, &nodes).await;
        add(
            &database,
            &[
                ("a@x.test", "aaaa", 5, Some(10), 1),
                ("b@x.test", "aaaa", 5, Some(10), 1),
                ("c@x.test", "aaaa", 5, Some(10), 1),
                ("d@x.test", "aaaa", 5, Some(10), 2),
                ("e@x.test", "aaaa", 5, Some(10), 2),
                ("f@x.test", "aaaa", 5, Some(10), 3),
                ("g@x.test", "aaaa", 5, Some(10), 3),
            ],
        )
        .await;
        good.answer(4, 500);
        strange.answer(6, 401);

        let (code, report, messages) = purge(&database, &[]).await;
        assert_eq!(code, 69, "{kind:?}: {messages}");
        assert!(messages.contains(&format!("3 at {away}")), "{messages}");
        assert!(messages.contains("another secret"), "{messages}");
        assert_eq!(uids(&database).await, [1, 2, 3, 4, 6, 7], "{kind:?}");
        let what = |url: &str, key: &str| report["nodes"][url][key].as_i64().unwrap();
        // One attempt at a node that isn't there is enough.
        assert_eq!((what(&away, "failed"), what(&away, "skipped")), (1, 2));
        assert_eq!((what(&urls[0], "failed"), what(&urls[0], "purged")), (1, 1));
        assert_eq!(
            (what(&urls[1], "failed"), what(&urls[1], "skipped")),
            (1, 1)
        );
        assert_eq!(load(&database, 1).await, (3, 10), "{kind:?}");
        assert_eq!(load(&database, 2).await, (2, 11), "{kind:?}");

        // What a healthy node refused comes last, a grace period from now.
        let (_, report, _) = purge(&database, &[]).await;
        assert_eq!(report["nodes"].get(&urls[0]), None, "{kind:?}: {report}");
        let (_, report, _) = purge(&database, &["--grace-period", "0s"]).await;
        assert_eq!(report["nodes"][&urls[0]]["failed"], 1, "{kind:?}: {report}");
        database.remove().await;
    }
}

#[tokio::test]
async fn a_node_that_says_nothing_is_asked_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let database = database(Kind::Sqlite, &[(&url, false, 2)]).await;
    let records = ["a@x.test", "b@x.test"].map(|email| (email, "aaaa", 5, Some(10), 1));
    add(&database, &records).await;
    let (code, report, messages) = purge(&database, &["--request-timeout", "300ms"]).await;
    assert_eq!(code, 69, "{messages}");
    assert!(messages.contains("no answer in time"), "{messages}");
    assert_eq!(
        (&report["failed"], &report["skipped"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(uids(&database).await, [1, 2]);
}

#[tokio::test]
async fn a_dry_run_asks_nobody_and_changes_nothing() {
    for kind in Kind::wanted() {
        let node = Node::default();
        let url = node.start().await;
        let database = database(kind, &[(&url, false, 2)]).await;
        add(
            &database,
            &[
                ("a@x.test", "aaaa", 5, Some(10), 1),
                ("b@x.test", "aaaa", 5, Some(10), GONE),
            ],
        )
        .await;
        let (code, report, messages) = purge(&database, &["--dryrun"]).await;
        assert_eq!(code, 0, "{messages}");
        assert_eq!(report["dry_run"], true);
        assert_eq!(
            (&report["purged"], &report["forgotten"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(node.asked(), [0_i64; 0]);
        assert_eq!(uids(&database).await, [1, 2], "{kind:?}");
        assert_eq!(load(&database, 1).await, (2, 10), "{kind:?}");
        database.remove().await;
    }
}

#[tokio::test]
async fn a_round_makes_no_more_requests_than_it_may() {
    let node = Node::default();
    let url = node.start().await;
    let database = database(Kind::Sqlite, &[(&url, false, 5)]).await;
    for email in ["a@x.test", "b@x.test", "c@x.test", "d@x.test", "e@x.test"] {
        add(&database, &[(email, "aaaa", 5, Some(10), 1)]).await;
    }
    let limits = ["--max-records", "2", "--max-per-loop", "1"];
    let (code, report, _) = purge(&database, &limits).await;
    assert_eq!((code, &report["purged"]), (0, &json!(2)));
    assert_eq!(uids(&database).await, [3, 4, 5]);
}

#[tokio::test]
async fn data_at_nodes_that_are_down_are_removed_where_they_were_copied_to() {
    for kind in Kind::wanted() {
        let copy = Node::default();
        let url = copy.start().await;
        let nodes = [("https://down.test", true, 3), (&url, false, 1)];
        let database = database(kind, &nodes).await;
        add(
            &database,
            &[
                ("a@x.test", "aaaa", 5, Some(10), 1),
                // Its user has gone on with the same key at the node that has the copies.
                ("b@x.test", "aaaa", 5, Some(10), 1),
                ("b@x.test", "aaaa", 10, None, 2),
            ],
        )
        .await;
        let force = ["--force", "--override-node", &url];
        let (code, report, messages) = purge(&database, &force).await;
        assert_eq!(code, 0, "{messages}");
        assert_eq!(copy.asked(), [1], "{kind:?}");
        assert_eq!(
            (&report["purged"], &report["forgotten"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(uids(&database).await, [3], "{kind:?}");

        add(&database, &[("c@x.test", "aaaa", 5, Some(10), 1)]).await;
        let (code, report, _) = purge(&database, &["--force"]).await;
        assert_eq!((code, &report["forgotten"]), (0, &json!(1)), "{kind:?}");
        assert_eq!(uids(&database).await, [3], "{kind:?}");
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_follow_each_other_until_a_signal_comes() {
    let node = Node::default();
    let url = node.start().await;
    let database = database(Kind::Sqlite, &[(&url, false, 2)]).await;
    let command = command(&database, &["--purge-interval", "50ms"]);
    // The report of the first round is on its first line.
    let running = tokio::task::spawn_blocking(|| Running::start(command));
    let running = running.await.unwrap();
    assert_eq!(running.ready["purged"], 0);
    add(&database, &[("a@x.test", "aaaa", 5, Some(10), 1)]).await;
    let start = Instant::now();
    while node.asked().is_empty() {
        assert!(start.elapsed() < PATIENCE, "no second round");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    running.signal(Signal::TERM);
    let (status, reports) = tokio::task::spawn_blocking(|| running.wait())
        .await
        .unwrap();
    assert!(status.success(), "{status}");
    let purged = reports
        .lines()
        .filter(|line| line.contains("\"purged\":1,"));
    assert_eq!(purged.count(), 1, "{reports}");
    assert_eq!(uids(&database).await, [0_i64; 0]);
}

#[tokio::test]
async fn a_service_whose_tokens_nodes_cannot_read_is_refused() {
    let database = Database::make(Kind::Sqlite).await;
    let secret = database.directory().join("sync.secret");
    std::fs::write(&secret, "thirty-two characters or more of it").unwrap();
    let settings = [
        "applications.sync.version=\"1.5\"".to_owned(),
        "applications.sync.token.format=jwt".to_owned(),
        "applications.sync.token.algorithm=HS256".to_owned(),
        format!("applications.sync.secret_file={}", secret.display()),
    ];
    let jwt: Vec<&str> = settings
        .iter()
        .flat_map(|setting| ["--set", setting])
        .collect();
    let (code, _, messages) = purge(&database, &jwt).await;
    assert_eq!(code, 78, "{messages}");
    assert!(
        messages.contains("sync-1.5") && messages.contains("--service"),
        "{messages}"
    );

    let (code, _, messages) = purge(&database, &["--override-node", "https://a.test"]).await;
    assert_eq!(code, 64, "{messages}");
    assert!(messages.contains("--force"), "{messages}");
}
