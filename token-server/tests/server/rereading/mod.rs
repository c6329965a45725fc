//! SIGHUP: secrets, keys, applications and issuers change while requests are answered.

mod stage;

use std::{fs, process::Command};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto_jobs::{Jwk, JwsAlgorithm, JwtConditions, VerifyJwtRequest};
use rustix::process::{Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::tempdir;
use workers::crypto::{self, tokenlib};

use self::stage::{Stage, keygen, trade};
use crate::{
    issuer::{Issuer, Mood, SigningKey, jwks, now_s},
    vectors::text,
};

const READ: &str = "read the settings again";
const KEPT: &str = "the settings stay as they are";

/// Settings with these secrets, newest last, and these keys for the JWTs of `files`.
fn settings(secrets: &str, keys: &str) -> String {
    format!(
        "secrets.token_file = [{secrets}]\nsecrets.jwt_key_files = [{keys}]\n\
         [applications.sync]\nversion = '1.5'\n\
         [applications.files]\nversion = '1'\nnodes = false\n\
         endpoint = 'https://files.example.test/{{uid}}'\n\
         token = {{ format = 'jwt', issuer = 'https://token.example.test' }}\n"
    )
}

fn kid(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    text(&header, "kid").to_owned()
}

/// Whether a service that has fetched these keys accepts the token.
fn is_accepted(token: &str, jwks: &Value) -> bool {
    let kid = kid(token);
    let keys = jwks["keys"].as_array().unwrap().iter();
    let keys = keys.filter(|key| key["kid"] == *kid);
    let request = VerifyJwtRequest {
        token: token.to_owned(),
        keys: keys.filter_map(Jwk::from_json).collect(),
        now_s: now_s(),
        conditions: JwtConditions {
            algorithms: vec![JwsAlgorithm::EdDsa],
            types: Vec::new(),
            issuer: None,
            audiences: vec!["files-1".to_owned()],
            must_expire: true,
            leeway_s: 0,
        },
    };
    crypto::verify_jwt(&request).is_ok()
}

fn is_made_with(token: &str, secret: &str) -> bool {
    tokenlib::parse(token, secret.as_bytes(), now_s()).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_keys_are_changed_without_refusing_anyone() {
    let stage = Stage::set(&settings("'old'", "'first.pem'")).await;
    let traffic = stage.keep_trading();
    let (old_token, first_jwt) = (stage.token("sync/1.5").await, stage.token("files/1").await);
    assert!(is_made_with(&old_token, "old"));
    assert!(is_accepted(&first_jwt, &stage.jwks().await));

    // The new key is published before it signs, the new secret signs at once: nodes have it already.
    let change = settings("'old', 'new'", "'second.pem', 'first.pem'");
    stage.reread(&change, READ).await;
    traffic.goes_on().await;
    let published = stage.jwks().await;
    assert_eq!(published["keys"].as_array().unwrap().len(), 2);
    assert_eq!(kid(&stage.token("files/1").await), kid(&first_jwt));
    let new_token = stage.token("sync/1.5").await;
    assert!(is_made_with(&new_token, "new"));
    assert!(!is_made_with(&new_token, "old"));
    assert!(is_made_with(&old_token, "old"), "and nodes still know it");

    stage
        .reread(&settings("'new'", "'first.pem', 'second.pem'"), READ)
        .await;
    traffic.goes_on().await;
    let second_jwt = stage.token("files/1").await;
    assert_ne!(kid(&second_jwt), kid(&first_jwt));
    let now_published = stage.jwks().await;
    for token in [&first_jwt, &second_jwt] {
        assert!(is_accepted(token, &published), "who looked a while ago");
        assert!(is_accepted(token, &now_published), "who looks now");
    }

    stage.reread(&settings("'new'", "'second.pem'"), READ).await;
    traffic.goes_on().await;
    let published = stage.jwks().await;
    assert!(is_accepted(&second_jwt, &published));
    assert!(!is_accepted(&first_jwt, &published));
    assert!(is_made_with(&stage.token("sync/1.5").await, "new"));
    traffic.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_leaves_everything_as_it_was() {
    let good = settings("'old'", "'first.pem'");
    let stage = Stage::set(&good).await;
    let traffic = stage.keep_trading();
    let kid_before = kid(&stage.token("files/1").await);
    keygen(&stage.path("other.pem"), "es256");
    fs::write(
        stage.path("broken.pem"),
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    for (broken, named) in [
        ("secrets.token_file = [", "settings.toml".to_owned()),
        (
            &*format!("users.allow_all = true\n{good}"),
            "users.allow_all".to_owned(),
        ),
        (&settings("'gone'", "'first.pem'"), "gone".to_owned()),
        (
            &settings("'new'", "'broken.pem'"),
            "secrets.jwt_key_files".to_owned(),
        ),
        (
            &settings("'new'", "'other.pem'"),
            "applications.files.token.algorithm".to_owned(),
        ),
        (
            &good.replace("'jwt'", "'paper'"),
            "applications.files.token.format".to_owned(),
        ),
    ] {
        let before = stage.log().len();
        stage.reread(broken, KEPT).await;
        let said = stage.log()[before..].to_owned();
        assert!(said.contains(&named), "no {named} in {said}");
        traffic.goes_on().await;
        assert!(is_made_with(&stage.token("sync/1.5").await, "old"));
        assert_eq!(kid(&stage.token("files/1").await), kid_before);
    }
    stage.reread(&settings("'new'", "'second.pem'"), READ).await;
    assert!(is_made_with(&stage.token("sync/1.5").await, "new"));
    traffic.ends().await;
}

#[tokio::test]
async fn applications_and_issuers_change_and_what_takes_a_restart_is_named() {
    let stage = Stage::set(&settings("'old'", "'first.pem'")).await;
    assert_eq!(stage.trade("notes/2").await.0, 404);
    assert_eq!(stage.trade("sync/1.5").await.0, 200);
    // Its keys are known, so it may be away while something else changes.
    stage.issuer.set(Mood::Fails);
    let more = "http.max_connections = 7\nlog.filter = 'debug'\n".to_owned()
        + &settings("'old'", "'first.pem'")
        + "[applications.notes]\nversion = '2'\ntoken_lifetime = '77s'\n\
           init_node_url = 'https://notes.example.test'\n";
    stage.reread(&more, READ).await;
    let (status, answer) = stage.trade("notes/2").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["duration"], 77);
    let endpoint = text(&answer, "api_endpoint");
    assert!(
        endpoint.starts_with("https://notes.example.test/2/"),
        "{endpoint}"
    );
    let log = stage.log();
    for key in ["http.max_connections", "log.filter"] {
        let warned = log
            .lines()
            .any(|line| line.contains(key) && line.contains("takes a restart"));
        assert!(warned, "no warning of {key} in {log}");
    }
    assert_eq!(log.matches("takes a restart").count(), 2, "{log}");

    // Another issuer, whose users come in, and conditions of the one that was there.
    let key = SigningKey::es256("other");
    let other = Issuer::start(jwks(&[&key])).await;
    let token = key.sign(&json!({
        "iss": other.url(), "sub": "user-2", "aud": "token-server", "exp": now_s() + 600,
    }));
    let url = stage.running.url();
    assert_eq!(trade(url, "sync/1.5", &token).await.0, 401);
    let more = settings("'old'", "'first.pem'")
        + &format!(
            "[issuers.other]\nissuer = '{}'\ndomain = 'other.example.test'\naudiences = ['token-server']\n",
            other.url()
        );
    stage.reread(&more, READ).await;
    assert_eq!(trade(url, "sync/1.5", &token).await.0, 200);
    assert_eq!(stage.trade("notes/2").await.0, 404, "it has gone");
    stage
        .reread(&format!("users.allow_new = false\n{more}"), READ)
        .await;
    let stranger = key.sign(&json!({
        "iss": other.url(), "sub": "user-3", "aud": "token-server", "exp": now_s() + 600,
    }));
    assert_eq!(trade(url, "sync/1.5", &token).await.0, 200);
    assert_eq!(trade(url, "sync/1.5", &stranger).await.0, 401);
}

#[tokio::test]
async fn a_node_without_a_secret_is_named_until_it_has_one() {
    const NODE: &str = "https://node1.example.test";
    let with_nodes = settings("", "'first.pem'").replace("token_file = []", "nodes_file = 'nodes'");
    let directory = tempdir().unwrap();
    let file = directory.path().join("nodes");
    let with_nodes = with_nodes.replace("'nodes'", &format!("'{}'", file.display()));
    fs::write(&file, "https://node2.example.test,1:abc\n").unwrap();
    let stage = Stage::set(&with_nodes).await;
    let log = stage.log();
    assert!(
        log.contains(NODE) && log.contains("secrets.nodes_file"),
        "{log}"
    );
    assert_eq!(stage.trade("sync/1.5").await.0, 500, "the operator's fault");
    fs::write(&file, format!("{NODE},1:abc,2:def\n")).unwrap();
    stage.reread(&with_nodes, READ).await;
    assert!(is_made_with(&stage.token("sync/1.5").await, "def"));
    fs::write(&file, format!("{NODE},1:abc,2:def,3:ghi\n")).unwrap();
    stage.reread(&with_nodes, READ).await;
    assert!(is_made_with(&stage.token("sync/1.5").await, "ghi"));
}

#[tokio::test]
async fn what_comes_of_new_settings_comes_after_all_of_them_were_found_good() {
    let good = settings("'old'", "'first.pem'");
    let stage = Stage::set(&good).await;
    fs::write(stage.path("jwks.json"), "{").unwrap();
    let node = "init_node_url = 'https://notes.example.test'\n";
    let broken = format!(
        "{good}[applications.notes]\nversion = '2'\n{node}\
         [issuers.other]\nissuer = 'https://other.test'\naudiences = ['x']\njwks_file = 'jwks.json'\n"
    );
    stage.reread(&broken, KEPT).await;
    assert!(stage.log().contains("jwks.json"), "{}", stage.log());
    stage.reread(&good, READ).await;
    let seeded = stage.log().contains("added its first node");
    assert!(!seeded, "{}", stage.log());
}

#[tokio::test]
async fn a_key_is_replaced_though_the_database_is_of_no_use() {
    let stage = Stage::set(&settings("'old'", "'first.pem'")).await;
    let first = kid(&stage.token("files/1").await);
    let file = SqliteConnectOptions::new().filename(stage.path("users.db"));
    let mut users = SqliteConnection::connect_with(&file).await.unwrap();
    let broken = sqlx::raw_sql("ALTER TABLE nodes RENAME TO elsewhere");
    broken.execute(&mut users).await.unwrap();
    stage.reread(&settings("'new'", "'second.pem'"), READ).await;
    assert!(stage.log().contains("the nodes could not be looked at"));
    assert_ne!(kid(&stage.token("files/1").await), first);
}

#[tokio::test]
async fn a_signal_to_everything_of_that_name_costs_no_worker() {
    let good = settings("'old'", "'first.pem'");
    let stage = Stage::set(&good).await;
    let workers = stage.running.worker_pids();
    assert_eq!(workers.len(), 2);
    for worker in &workers {
        kill_process(*worker, Signal::HUP).unwrap();
    }
    stage.reread(&good, READ).await;
    assert_eq!(stage.trade("sync/1.5").await.0, 200);
    for worker in workers {
        test_kill_process(worker).expect("it is still there");
    }
    assert!(!stage.log().contains("a crypto worker is gone"));
}

/// A file that is never read to its end: nobody writes to the pipe.
#[tokio::test]
async fn a_file_that_cannot_be_read_to_its_end_does_not_keep_the_process() {
    let stage = Stage::set(&settings("'old'", "'first.pem'")).await;
    let pipe = stage.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    stage.begin_rereading(&settings("'pipe'", "'first.pem'"));
    assert_eq!(stage.note(), "READY=1");
    assert!(stage.note().starts_with("RELOADING=1"));
    assert_eq!(stage.trade("sync/1.5").await.0, 200, "requests go on");
    stage.running.signal(Signal::TERM);
    assert_eq!(stage.note(), "STOPPING=1");
    let (status, _) = stage.end();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn the_service_manager_hears_how_far_it_is() {
    let good = settings("'old'", "'first.pem'");
    let stage = Stage::set(&good).await;
    assert_eq!(stage.note(), "READY=1");
    for (change, said) in [(&*good, READ), ("colour = 'blue'", KEPT)] {
        stage.reread(change, said).await;
        let note = stage.note();
        assert!(note.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{note}");
        assert_eq!(stage.note(), "READY=1", "it goes on, whatever came of it");
    }
    stage.running.signal(Signal::TERM);
    assert_eq!(stage.note(), "STOPPING=1");
}
