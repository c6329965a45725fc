//! What the server writes about requests, and what it doesn't.

use std::{fs::File, os::fd::OwnedFd};

use reqwest::header::AUTHORIZATION;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::{
    accounts, gateway,
    process::{Server, TOKEN_SECRET, client, json},
    vectors::{read, text},
};

/// A new server's log of these requests with their credentials, each of which ends with this status, and
/// the answers.
async fn log_of(settings: &[(&str, &str)], shown: &[(String, u16)]) -> (String, Vec<Value>) {
    let log = NamedTempFile::new().unwrap();
    let server = Server::start_logging(log.reopen().unwrap(), settings).await;
    let mut answers = Vec::new();
    for (authorization, expected) in shown {
        let request = client().get(server.url("/1.0/sync/1.5"));
        let request = request.header(AUTHORIZATION, authorization);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), *expected, "{authorization}");
        answers.push(json(response).await);
    }
    server.running.signal(Signal::TERM);
    let (status, _) = server.running.wait();
    assert!(status.success(), "{status}");
    (std::fs::read_to_string(log.path()).unwrap(), answers)
}

#[tokio::test]
async fn a_line_tells_of_each_refusal_and_none_holds_secrets_or_credentials() {
    let (assertions, tokens) = (read("browserid_assertions.json"), read("oauth_jwt.json"));
    let gateway = gateway::start(assertions["documents"].clone()).await;
    let accounts = accounts::start(tokens["jwks"].clone()).await;
    let assertion = text(&assertions["cases"][0], "assertion");
    let token = text(&tokens["cases"][0], "token");
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let bad_token = format!("{signed}.AAAA{}", &signature[4..]);
    let bad_assertion = &assertion[1..];
    let shown = [
        (format!("BrowserID {assertion}"), 200),
        (format!("Bearer {token}"), 200),
        (format!("BrowserID {bad_assertion}"), 401),
        (format!("Bearer {bad_token}"), 401),
        ("Basic dXNlcjpwYXNzd29yZA==".to_owned(), 401),
    ];
    for format in ["text", "json"] {
        let settings = [
            ("browserid.gateway", gateway.as_str()),
            ("oauth.server_url", &accounts),
            ("oauth.email_domain", "accounts.example.test"),
            // As chatty as the server itself can be.
            (
                "log.filter",
                "info,token_server=trace,token_server_web=trace,powerhose=trace",
            ),
            ("log.format", format),
        ];
        let (log, answers) = log_of(&settings, &shown).await;
        let mut secrets = vec![TOKEN_SECRET, "metrics-secret-1", "dXNlcjpwYXNzd29yZA"];
        // Each segment by itself, and even a part of it.
        let segments = assertion.split(['~', '.']).chain(token.split('.'));
        secrets.extend(segments.map(|segment| &segment[segment.len() - 16..]));
        for answer in &answers[..2] {
            secrets.extend([text(answer, "id"), text(answer, "key")]);
        }
        for secret in secrets {
            assert!(!log.contains(secret), "{secret} is in:\n{log}");
        }
        for code in ["jwt-bad-signature", "unsupported-scheme"] {
            assert!(log.contains(code), "{code} is not in:\n{log}");
        }
        if format == "json" {
            // The workers' lines, too.
            for line in log.lines() {
                let parsed: Result<Value, _> = serde_json::from_str(line);
                assert!(parsed.is_ok(), "no JSON: {line}");
            }
        }
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_any_more_stops_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let log = File::from(OwnedFd::from(writer));
    let server = Server::start_logging(log, &[("log.filter", "debug")]).await;
    for _ in 0..3 {
        let response = client().get(server.url("/1.0/sync/1.5")).send().await;
        assert_eq!(response.unwrap().status(), 401, "which is logged");
    }
    let response = client().get(server.url("/__heartbeat__")).send().await;
    assert_eq!(response.unwrap().status(), 200, "the workers are there");
    server.running.signal(Signal::TERM);
    let (status, _) = server.running.wait();
    assert!(status.success(), "{status}");
}
