//! Users are let in and kept out by a command, while a server runs, on every kind of database.

use std::time::{Duration, Instant};

use reqwest::header::AUTHORIZATION;
use serde_json::json;

use crate::{
    administration::run,
    database::{Database, Kind},
    issuer::{Issuer, SigningKey, jwks, now_s},
    process::{PATIENCE, Server, client},
};

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
        let token = key.sign(&json!({
            "iss": issuer.url(), "sub": "user-1", "aud": "token-server", "exp": now_s() + 600,
        }));
        let wait = async |expected: u16| {
            let start = Instant::now();
            loop {
                let request = client().get(server.url("/1.0/sync/1.5"));
                let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
                let status = request.send().await.unwrap().status().as_u16();
                if status == expected {
                    return;
                }
                assert!(start.elapsed() < PATIENCE, "{kind:?}: {status}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let access = |action: &str, subject: &str| {
            let table = ["--set", "users.deny_table=true"];
            let what = ["access", action, "deny", issuer.url(), subject];
            run(&database, &[&what[..], &table[..]].concat())
        };
        wait(200).await;
        let added = access("add", "user-*").unwrap();
        assert_eq!(
            added,
            json!({ "list": "deny", "issuer": issuer.url(), "subject": "user-*", "changed": true }),
            "{kind:?}"
        );
        assert_eq!(access("add", "user-*").unwrap()["changed"], false);
        wait(403).await;
        let list = ["access", "list", "--set", "users.deny_table=true"];
        let entries = run(&database, &list).unwrap();
        assert_eq!(entries["entries"][0]["subject"], "user-*", "{entries}");
        assert_eq!(access("remove", "user-*").unwrap()["changed"], true);
        wait(200).await;

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
