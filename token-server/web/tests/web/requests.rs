//! The application asked without a socket, with real workers behind it.

use std::{path::Path, sync::Arc, thread, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header::AUTHORIZATION},
};
use powerhose::{Job, JobRunner, Worker, WorkerBuilder};
use serde_json::Value;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::{TempDir, tempdir};
use token_server_web::{App, Identities, access::AccessLists, app, store::NewNode};
use tower::ServiceExt;

use crate::{gateway::Gateway, settings, store};

const PATH: &str = "/1.0/sync/1.5";

/// The application with a database, a gateway with the vectors' documents, and one worker.
struct Fixture {
    router: Router,
    gateway: Gateway,
    assertion: String,
    directory: TempDir,
}

impl Fixture {
    async fn new(assignments: &[(&str, &str)]) -> Self {
        let vectors = vectors();
        let gateway = Gateway::start().await;
        for (host, document) in vectors["documents"].as_object().unwrap() {
            gateway.publish(host, document["body"].clone());
        }
        let directory = tempdir().unwrap();
        let url = gateway.url();
        let mut all = vec![("browserid.gateway", url.as_str())];
        all.extend(assignments);
        let settings = settings(directory.path(), &all);
        let store = store(directory.path()).await;
        let service = store.service("sync-1.5").await.unwrap().unwrap();
        let node = NewNode {
            url: "https://node1.example.test".to_owned(),
            capacity: 10,
            available: 10,
            ..NewNode::default()
        };
        store.add_node(service.id, &node).await.unwrap();
        let identities = Identities::new(&settings).unwrap();
        let access = AccessLists::open(&settings.users, &store).await.unwrap();
        let runner = runner_with_worker(directory.path()).await;
        Self {
            router: app(App::new(
                settings,
                store,
                identities,
                access,
                Arc::new(runner),
            )),
            gateway,
            assertion: vectors["cases"][0]["assertion"]
                .as_str()
                .unwrap()
                .to_owned(),
            directory,
        }
    }

    async fn get(&self, target: &str, headers: &[(&str, &[u8])]) -> (StatusCode, Value) {
        let mut request = Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// A good assertion, with further headers.
    async fn log_in(&self, target: &str, headers: &[(&str, &[u8])]) -> (StatusCode, Value) {
        let authorization = format!("BrowserID {}", self.assertion);
        let mut all = vec![(AUTHORIZATION.as_str(), authorization.as_bytes())];
        all.extend(headers);
        self.get(target, &all).await
    }
}

fn vectors() -> Value {
    let path = "../../tests/vectors/browserid_assertions.json";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

async fn runner_with_worker(directory: &Path) -> JobRunner {
    let endpoint = format!("ipc://{}", directory.join("workers").display());
    let runner = JobRunner::bind(&endpoint).unwrap();
    thread::spawn(move || {
        workers::crypto::SERVICES
            .into_iter()
            .fold(Worker::builder(), WorkerBuilder::service)
            .connect(&endpoint)
            .handler(|job: Job| Ok(workers::crypto::handle(job.service(), job.body())?.into()))
            .run()
    });
    runner
        .wait_for_workers(1, Duration::from_secs(20))
        .await
        .unwrap();
    runner
}

#[tokio::test]
async fn a_token_is_good_for_as_long_as_was_asked_for_but_no_longer_than_usual() {
    let fixture = Fixture::new(&[]).await;
    for (query, duration) in [
        ("", 300),
        ("?duration=12", 12),
        ("?duration=299", 299),
        ("?duration=300", 300),
        ("?duration=301", 300),
        ("?duration=0", 300),
        ("?duration=-1", 300),
        ("?duration=lolwut", 300),
        ("?duration=99999999999999999999999", 300),
        ("?duration=1&duration=2", 300),
        ("?duration=%ff", 300),
        ("?other=1", 300),
    ] {
        let (status, body) = fixture.log_in(&format!("{PATH}{query}"), &[]).await;
        assert_eq!(status, 200, "{query}: {body}");
        assert_eq!(body["duration"], duration, "{query}");
    }
}

#[tokio::test]
async fn client_states_that_are_none_are_400() {
    let fixture = Fixture::new(&[]).await;
    for bad in [&b"state!"[..], b"zz", b"abc", b"\xff\xfe", &[b'a'; 34]] {
        let (status, body) = fixture.log_in(PATH, &[("X-Client-State", bad)]).await;
        assert_eq!(status, 400, "{body}");
        assert_eq!(body["errors"][0]["name"], "X-Client-State");
    }
}

#[tokio::test]
async fn a_client_state_is_looked_at_before_the_credentials() {
    let fixture = Fixture::new(&[]).await;
    let (status, _) = fixture.get(PATH, &[("X-Client-State", b"state!")]).await;
    assert_eq!(status, 400);
    let (status, _) = fixture
        .get("/1.0/mail/1.5", &[("X-Client-State", b"state!")])
        .await;
    assert_eq!(status, 404, "but after the application");
}

#[tokio::test]
async fn malformed_credentials_are_401() {
    let fixture = Fixture::new(&[]).await;
    let long = "~".repeat(20_000);
    for bad in [
        &b"BrowserID"[..],
        b"BrowserID ~",
        b"BrowserID a.b.c~d.e.f",
        b"BrowserID \xff\xfe",
        b"\xff",
        b"Hawk id=\"x\"",
        format!("BrowserID {long}").as_bytes(),
    ] {
        let (status, body) = fixture.get(PATH, &[("Authorization", bad)]).await;
        assert_eq!(status, 401, "{body}");
        assert!(body["errors"][0]["description"].is_string());
    }
}

#[tokio::test]
async fn slow_hosts_that_a_client_names_are_401_however_many_they_are() {
    let fixture = Fixture::new(&[
        ("browserid.documents.timeout", "700ms"),
        ("http.request_timeout", "1s"),
    ])
    .await;
    let hosts = ["corp.example.test", "a.test", "b.test", "c.test", "d.test"];
    for (host, next) in hosts.iter().zip(&hosts[1..]) {
        let document = serde_json::json!({ "authority": next });
        fixture.gateway.publish(host, document);
    }
    // Each is fast enough alone, and all of them take longer than a request may.
    fixture.gateway.slow_down(Duration::from_millis(400));
    let vectors = vectors();
    let mut cases = vectors["cases"].as_array().unwrap().iter();
    let case = cases.find(|case| case["id"] == "valid-delegated").unwrap();
    let credentials = format!("BrowserID {}", case["assertion"].as_str().unwrap());
    let headers = [(AUTHORIZATION.as_str(), credentials.as_bytes())];
    let (status, body) = fixture.get(PATH, &headers).await;
    assert_eq!(status, 401, "{body}");
    assert_eq!(body["status"], "invalid-credentials");
}

#[tokio::test]
async fn a_service_without_a_pattern_is_the_operators_fault() {
    let fixture = Fixture::new(&[("applications.mail.version", "\"2\"")]).await;
    let (status, body) = fixture.log_in("/1.0/mail/2", &[]).await;
    assert_eq!(status, 503);
    assert_eq!(
        body["errors"][0]["description"],
        "The api_endpoint pattern for 'mail-2' is not known"
    );
}

#[tokio::test]
async fn new_users_can_be_kept_out() {
    let fixture = Fixture::new(&[("users.allow_new", "false")]).await;
    let (status, body) = fixture.log_in(PATH, &[]).await;
    assert_eq!(
        (status.as_u16(), &body["status"]),
        (401, &"new-users-disabled".into())
    );
}

#[tokio::test]
async fn who_is_not_on_the_list_gets_403_and_no_record() {
    let directory = tempdir().unwrap();
    let list = directory.path().join("allow");
    std::fs::write(&list, "elsewhere.test *\n").unwrap();
    let list = list.to_str().unwrap();
    let fixture = Fixture::new(&[("users.allow_file", list)]).await;
    let (status, body) = fixture.log_in(PATH, &[]).await;
    assert_eq!(status, 403, "{body}");
    assert_eq!(body["errors"][0]["description"], "Not allowed");

    std::fs::write(list, "* *\n").unwrap();
    let fixture = Fixture::new(&[("users.allow_file", list)]).await;
    assert_eq!(fixture.log_in(PATH, &[]).await.0, 200);
    let fixture = Fixture::new(&[("users.deny_file", list)]).await;
    assert_eq!(fixture.log_in(PATH, &[]).await.0, 403);
}

#[tokio::test]
async fn without_a_node_that_has_room_the_answer_is_503() {
    let fixture = Fixture::new(&[]).await;
    let options = SqliteConnectOptions::new().filename(fixture.directory.path().join("users.db"));
    let mut script = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("UPDATE nodes SET downed = 1")
        .execute(&mut script)
        .await
        .unwrap();
    let (status, body) = fixture.log_in(PATH, &[]).await;
    assert_eq!(status, 503);
    assert_eq!(
        body,
        serde_json::json!({
            "status": "internal-error",
            "errors": [{ "location": "internal", "name": "", "description": "Server error" }],
        })
    );
}
