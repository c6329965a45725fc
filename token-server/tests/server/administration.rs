//! The commands of those who operate the server, on every kind of database.

use serde_json::{Value, json};

use crate::{
    database::{Database, Kind},
    process::{needed, program},
};

/// A command with its answer in JSON, or its exit code and message.
pub(crate) fn run(database: &Database, arguments: &[&str]) -> Result<Value, (i32, String)> {
    let mut command = program();
    command.args(arguments).arg("--json");
    for (key, value) in needed(database.directory()) {
        command.args(["--set", &format!("{key}={value}")]);
    }
    command.args(["--set", &format!("database.url={}", database.url)]);
    let output = command.output().unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
    } else {
        let message = String::from_utf8(output.stderr).unwrap();
        Err((output.status.code().unwrap(), message))
    }
}

async fn nodes(database: &Database) -> Vec<String> {
    let text = if database.kind == Kind::MySql {
        "SELECT CONCAT_WS(' ', node, available, current_load, capacity, downed, backoff) \
         FROM nodes ORDER BY node"
    } else {
        "SELECT node || ' ' || available || ' ' || current_load || ' ' || capacity || ' ' || downed \
         || ' ' || backoff FROM nodes ORDER BY node"
    };
    database.texts(text).await
}

#[tokio::test]
async fn nodes_and_users_are_added_changed_moved_counted_and_removed() {
    const ONE: &str = "https://one.test";
    const TWO: &str = "https://two.test";
    for kind in Kind::wanted() {
        let database = Database::make(kind).await;
        let run = |arguments: &[&str]| run(&database, arguments);

        let added = run(&["add-node", ONE, "25"]).unwrap();
        assert_eq!(added["available"], 3, "a tenth, rounded up");
        run(&[
            "add-node",
            TWO,
            "50",
            "--available",
            "7",
            "--current-load",
            "5",
            "--backoff",
        ])
        .unwrap();
        assert_eq!(
            nodes(&database).await,
            ["https://one.test 3 0 25 0 0", "https://two.test 7 5 50 0 1"],
            "{kind:?}"
        );
        let (code, message) = run(&["add-node", ONE, "25"]).unwrap_err();
        assert_eq!(code, 73, "{message}");
        assert!(
            message.contains("there is a node https://one.test already"),
            "{message}"
        );

        run(&[
            "update-node",
            TWO,
            "--backoff",
            "false",
            "--downed",
            "--capacity",
            "60",
        ])
        .unwrap();
        assert_eq!(nodes(&database).await[1], "https://two.test 7 5 60 1 0");
        run(&["update-node", TWO, "--downed", "false"]).unwrap();
        let (code, _) = run(&["update-node", "https://none.test", "--downed"]).unwrap_err();
        assert_eq!(code, 65);
        let (code, _) = run(&["update-node", TWO]).unwrap_err();
        assert_eq!(code, 64, "nothing to change");

        let long = format!("{}@x.test", "a".repeat(249));
        for nobody in ["a", "@x.test", "a@", &long] {
            let (code, message) = run(&["allocate-user", nobody]).unwrap_err();
            assert_eq!(code, 64, "{message}");
        }
        let first = run(&["allocate-user", "a@x.test"]).unwrap();
        assert_eq!(first["node"], ONE, "the one without load");
        let moved = run(&["allocate-user", "a@x.test", TWO]).unwrap();
        assert_eq!(moved["node"], TWO);
        assert_ne!(moved["uid"], first["uid"]);
        assert_eq!(run(&["allocate-user", "a@x.test", TWO]).unwrap(), moved);
        run(&["allocate-user", "b@x.test", ONE]).unwrap();
        assert_eq!(run(&["count-users"]).unwrap()["total_users"], 2, "{kind:?}");
        let early = run(&["count-users", "--timestamp", "1"]).unwrap();
        assert_eq!(
            early,
            json!({"timestamp": 1, "total_users": 0, "op": "sync_count_users"})
        );
        let file = database.directory().join("counts");
        run(&["count-users", "--output", file.to_str().unwrap()]).unwrap();
        let line = std::fs::read_to_string(&file).unwrap();
        assert!(line.contains("\"total_users\":2"), "{line}");

        assert_eq!(run(&["unassign-node", TWO]).unwrap()["users"], 1);
        assert_eq!(run(&["remove-node", ONE]).unwrap()["users"], 1);
        assert_eq!(run(&["count-users"]).unwrap()["total_users"], 0);
        assert_eq!(nodes(&database).await.len(), 1);
        let (code, message) = run(&["remove-node", ONE]).unwrap_err();
        assert_eq!(code, 65, "{message}");
        // Their next login gives them a node again, with what was known of them.
        let back = run(&["allocate-user", "b@x.test"]).unwrap();
        assert_eq!(back["node"], TWO);
        database.remove().await;
    }
}

#[test]
fn a_database_that_does_not_answer_is_named_with_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program();
    command.arg("count-users");
    for (key, value) in needed(directory.path()) {
        command.args(["--set", &format!("{key}={value}")]);
    }
    // Nobody listens on the port of a socket that is only bound.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let output = command
        .args([
            "--set",
            &format!("database.url=postgres://u:secret-word@127.0.0.1:{port}/users"),
        ])
        .args(["--set", "database.connection_timeout=300ms"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(69));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("database.url"), "{message}");
    assert!(!message.contains("secret-word"), "{message}");
}
