//! The requests that remove old records' data, taken by other people's libraries as a storage node takes them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tests::binaries::binary;
use tests::process::Process;
use tests::{paths, python};

use super::SECRET;

/// One of the server's commands, on a database in `directory`, with a secret to make tokens with.
fn administer(directory: &Path, secret: &str, arguments: &[&str]) -> Output {
    let database = directory.join("users.db");
    Command::new(binary("token-server"))
        .args(arguments)
        .arg("--json")
        .args([
            "--set",
            &format!("database.url=sqlite:{}", database.display()),
        ])
        .args(["--set", "browserid.audience=https://token.example.test"])
        .args(["--set", &format!("secrets.token={secret}")])
        .args(["--set", "secrets.metrics=for metrics"])
        .output()
        .expect("it runs")
}

fn answer(output: &Output) -> Value {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn storage_nodes_accept_the_requests_that_remove_old_records() {
    let script = paths::repository().join("tests/python/storage_node.py");
    let mut node = Process::start(python::command(&script).arg(SECRET));
    let url = node.expect("URL", |line| {
        line.starts_with("http://").then(|| line.to_owned())
    });
    let directory = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| administer(directory.path(), SECRET, arguments);
    let user = "5840a149@accounts.example.test";
    answer(&run(&["add-node", &url, "10"]));
    answer(&run(&["add-node", "https://other.example.test", "10"]));
    let uid = &answer(&run(&["allocate-user", user, &url]))["uid"];
    answer(&run(&["allocate-user", user, "https://other.example.test"]));

    let purge = ["purge-old-records", "--oneshot", "--grace-period", "0s"];
    let stranger = administer(directory.path(), "another secret", &purge);
    assert_eq!(stranger.status.code(), Some(69));
    let complaint = String::from_utf8_lossy(&stranger.stderr);
    assert!(
        complaint.contains("another secret, or another time"),
        "{complaint}"
    );

    assert_eq!(answer(&run(&purge))["purged"], 1);
    let claims = node.expect("token", |line| serde_json::from_str::<Value>(line).ok());
    assert_eq!(claims["uid"], *uid);
    assert_eq!(claims["node"], url);
    assert_eq!(claims["fxa_uid"], "5840a149");
    assert_eq!(claims["fxa_kid"], "0000000000000-");
    assert_eq!(answer(&run(&purge))["purged"], 0);
}
