//! Users are let in and kept out while a server runs: by a command, on every kind of database, and by files.

use std::{
    fs::File,
    time::{Duration, Instant},
};

use reqwest::header::AUTHORIZATION;
use serde_json::json;

use crate::{
    administration::run,
    database::{Database, Kind},
    issuer::{Issuer, SigningKey, jwks, now_s},
    process::{PATIENCE, Server, client},
};

fn token(key: &SigningKey, issuer: &Issuer) -> String {
    key.sign(&json!({
        "iss": issuer.url(), "sub": "user-1", "aud": "token-server", "exp": now_s() + 600,
    }))
}

async fn status(server: &Server, token: &str) -> u16 {
    let request = client().get(server.url("/1.0/sync/1.5"));
    let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    request.send().await.unwrap().status().as_u16()
}

/// Waits until the user gets that answer.
async fn wait(server: &Server, token: &str, expected: u16) {
    let start = Instant::now();
    loop {
        let status = status(server, token).await;
        if status == expected {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_follows_the_commands_that_change_its_lists() {
    for kind in Kind::wanted() {
        let key = SigningKey::es256("a");
        let issuer = Issuer::start(jwks(&[&key])).await;
        let database = Database::make(kind).await;
        let server = Server::start(&[
            ("database.url", database.url.as_str()),
            ("issuers.idp.issuer", issuer.url()),
            ("issuers.idp.domain", "idp.example.test"),
            ("issuers.idp.audiences", r#"["token-server"]"#),
            ("users.deny_table", "true"),
        ])
        .await;
        let token = token(&key, &issuer);
        let access = |action: &str, subject: &str| {
            let table = ["--set", "users.deny_table=true"];
            let what = ["access", action, "deny", issuer.url(), subject];
            run(&database, &[&what[..], &table[..]].concat())
        };
        wait(&server, &token, 200).await;
        let added = access("add", "user-*").unwrap();
        assert_eq!(
            added,
            json!({ "list": "deny", "issuer": issuer.url(), "subject": "user-*", "changed": true }),
            "{kind:?}"
        );
        assert_eq!(access("add", "user-*").unwrap()["changed"], false);
        wait(&server, &token, 403).await;
        let list = ["access", "list", "--set", "users.deny_table=true"];
        let entries = run(&database, &list).unwrap();
        assert_eq!(entries["entries"][0]["subject"], "user-*", "{entries}");
        assert_eq!(access("remove", "user-*").unwrap()["changed"], true);
        wait(&server, &token, 200).await;

        let (code, message) = access("remove", "user-*").unwrap_err();
        assert_eq!(code, 65, "{message}");
        let (code, message) = access("add", "[").unwrap_err();
        assert_eq!(code, 64, "{message}");
        // Nobody would look at it.
        let (code, message) = run(&database, &["access", "add", "allow", "*", "*"]).unwrap_err();
        assert_eq!(code, 78, "{message}");
        assert!(message.contains("users.allow_table"), "{message}");
        drop(server);
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_follows_its_files_and_keeps_what_it_knows_when_one_is_broken() {
    let key = SigningKey::es256("a");
    let issuer = Issuer::start(jwks(&[&key])).await;
    let directory = tempfile::tempdir().unwrap();
    let [allow, deny, log] = ["allow", "deny", "log"].map(|name| directory.path().join(name));
    let user = |subject: &str| format!("{} {subject}\n", issuer.url());
    std::fs::write(&allow, user("user-*")).unwrap();
    std::fs::write(&deny, "# nobody\n").unwrap();
    let server = Server::start_logging(
        File::create(&log).unwrap(),
        &[
            ("issuers.idp.issuer", issuer.url()),
            ("issuers.idp.domain", "idp.example.test"),
            ("issuers.idp.audiences", r#"["token-server"]"#),
            ("users.allow_file", allow.to_str().unwrap()),
            ("users.deny_file", deny.to_str().unwrap()),
        ],
    )
    .await;
    let token = token(&key, &issuer);
    let complaints = |about: &str| {
        let text = std::fs::read_to_string(&log).unwrap();
        let lines = text.lines();
        let complaints = lines.filter(|line| line.contains("a list of users stays as it was"));
        complaints.filter(|line| line.contains(about)).count()
    };
    let wait_for_complaint = async |about: &str, expected: u16| {
        let start = Instant::now();
        while complaints(about) == 0 {
            assert!(start.elapsed() < PATIENCE, "nothing is said of {about}");
            assert_eq!(status(&server, &token).await, expected);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(status(&server, &token).await, expected, "{about}");
    };

    wait(&server, &token, 200).await;
    std::fs::write(&deny, user("user-1")).unwrap();
    wait(&server, &token, 403).await;

    // Whoever was kept out stays out, however the file breaks.
    std::fs::write(&deny, "user-2\n").unwrap();
    wait_for_complaint("line 1", 403).await;
    std::fs::remove_file(&deny).unwrap();
    wait_for_complaint("No such file", 403).await;
    std::fs::create_dir(&deny).unwrap();
    wait_for_complaint("Is a directory", 403).await;
    // It is looked at again, and there is nothing new to be said.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(status(&server, &token).await, 403);
    assert_eq!(complaints(""), 3, "{:?}", std::fs::read_to_string(&log));

    std::fs::remove_dir(&deny).unwrap();
    std::fs::write(&deny, user("user-2")).unwrap();
    wait(&server, &token, 200).await;

    // A new file takes the old one's place, as deployments do it.
    let next = directory.path().join("next");
    std::fs::write(&next, user("user-2")).unwrap();
    std::fs::rename(&next, &allow).unwrap();
    wait(&server, &token, 403).await;
    std::fs::write(&allow, user("[")).unwrap();
    wait_for_complaint("is not a pattern", 403).await;
}
