//! The whole path: an assertion goes in over HTTP, a token comes out, the cryptography happens in worker processes.

mod gateway;
mod server;

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, RETRY_AFTER};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tests::paths;
use tests::process::PATIENCE;
use tests::python;

use self::server::{SECRET, Server};

fn vectors() -> Value {
    let path = paths::repository().join("tests/vectors/browserid_assertions.json");
    let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
    serde_json::from_str(&text).expect("the vectors are JSON")
}

fn client() -> reqwest::Client {
    (reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .timeout(PATIENCE)
        .build())
    .expect("a client")
}

async fn trade(client: &reqwest::Client, url: &str, assertion: &str) -> (u16, Value) {
    let request = client.get(format!("{url}/1.0/sync/1.5"));
    let request = request.header(AUTHORIZATION, format!("BrowserID {assertion}"));
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let body = response.bytes().await.expect("a body");
    (status, serde_json::from_slice(&body).expect("JSON"))
}

/// What Mozilla's tokenlib reads in the tokens of these answers. It checks signatures and derived keys.
fn read_by_tokenlib(answers: &[Value]) -> Vec<Value> {
    let checked: Vec<Value> = (answers.iter())
        .map(|answer| json!({ "id": answer["id"], "key": answer["key"], "secret": SECRET }))
        .collect();
    let mut child = python::command(&paths::repository().join("tests/python/check_tokens.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let mut input = child.stdin.take().expect("it is piped");
    input
        .write_all(json!(checked).to_string().as_bytes())
        .expect("Python reads");
    drop(input);
    let output = child.wait_with_output().expect("Python ends");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("claims")
}

#[tokio::test(flavor = "multi_thread")]
async fn mozillas_tokenlib_accepts_the_token_of_every_valid_assertion() {
    let vectors = vectors();
    let server = Server::start(&vectors, 2, &[]).await;
    let client = client();
    let mut answers = Vec::new();
    let mut refused = 0;
    for case in vectors["cases"].as_array().expect("a list") {
        if !case["trusted_issuers"].is_null() || !case["allowed_issuers"].is_null() {
            continue;
        }
        let id = case["id"].as_str().expect("an id");
        let assertion = case["assertion"].as_str().expect("an assertion");
        if id.starts_with("valid-") {
            let (status, answer) = trade(&client, &server.url, assertion).await;
            assert_eq!(status, 200, "{id}: {answer}");
            answers.push(answer);
            // All cases are about one user, whose past must not matter.
            server.forget_users().await;
        } else if id.starts_with("bad-") {
            // A header cannot carry every junk that an assertion can be.
            let (status, answer) = trade(&client, &server.url, assertion).await;
            assert_eq!(status, 401, "{id}: {answer}");
            refused += 1;
        }
    }
    assert!(
        answers.len() >= 25,
        "only {} tokens were issued",
        answers.len()
    );
    assert!(refused >= 60, "only {refused} assertions were refused");

    let claims = read_by_tokenlib(&answers);
    assert_eq!(claims.len(), answers.len());
    for (claims, answer) in claims.iter().zip(&answers) {
        assert_eq!(claims["uid"], answer["uid"]);
        assert_eq!(claims["hashed_fxa_uid"], answer["hashed_fxa_uid"]);
        assert_eq!(claims["node"], "https://node1.example.test");
    }
    server.stop().await;
}

fn valid_assertion(vectors: &Value) -> String {
    let cases = vectors["cases"].as_array().expect("a list");
    let case = cases
        .iter()
        .find(|case| case["id"] == "valid-rs256-ds128-fxa")
        .expect("the case");
    case["assertion"].as_str().expect("an assertion").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_with_jobs_in_its_hands_costs_no_request() {
    const REQUESTS: usize = 1000;
    const CLIENTS: usize = 16;
    let vectors = vectors();
    let server = Server::start(&vectors, 2, &[("http.request_timeout", "30s")]).await;
    let assertion = valid_assertion(&vectors);
    let (client, url) = (client(), server.url.clone());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (client, url, assertion) = (client.clone(), url.clone(), assertion.clone());
            let share = REQUESTS / CLIENTS + usize::from(number < REQUESTS % CLIENTS);
            tokio::spawn(async move {
                let mut tokens = 0;
                for _ in 0..share {
                    let (status, answer) = trade(&client, &url, &assertion).await;
                    assert_eq!(status, 200, "{answer}");
                    tokens += 1;
                }
                tokens
            })
        })
        .collect();

    // A stopped worker keeps what it has been given: so it is sure to be killed with jobs in its hands.
    let victim = server.workers.pids()[0];
    let pid = Pid::from_raw(i32::try_from(victim).expect("a process id")).expect("a process id");
    kill_process(pid, Signal::STOP).expect("the worker runs");
    let until = Instant::now() + PATIENCE;
    let held = loop {
        let workers = server.runner.workers().await;
        let held = workers
            .iter()
            .find(|worker| worker.pid == victim)
            .map_or(0, |worker| worker.in_flight);
        if held > 0 {
            break held;
        }
        assert!(Instant::now() < until, "the worker was never given a job");
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    let before = server.runner.stats().await.counters.redispatched;
    kill_process(pid, Signal::KILL).expect("the worker runs");

    let mut tokens = 0;
    for client in clients {
        tokens += client.await.expect("every request got its token");
    }
    assert_eq!(tokens, REQUESTS);
    let counters = server.runner.stats().await.counters;
    assert!(
        held > 0 && counters.redispatched > before,
        "nothing was re-dispatched: {counters:?}"
    );
    assert_eq!(counters.failed, 0, "{counters:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_worker_a_request_is_asked_to_come_back_within_its_deadline() {
    let vectors = vectors();
    let limits = [
        ("http.request_timeout", "1s"),
        ("browserid.documents.timeout", "900ms"),
    ];
    let server = Server::start(&vectors, 0, &limits).await;
    let started = Instant::now();
    let request = client().get(format!("{}/1.0/sync/1.5", server.url));
    let request = request.header(
        AUTHORIZATION,
        format!("BrowserID {}", valid_assertion(&vectors)),
    );
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 503);
    let seconds = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    assert!(
        seconds.is_some_and(|seconds| seconds.parse::<u32>().is_ok()),
        "{seconds:?}"
    );
    assert!(started.elapsed() < PATIENCE);
    let body: Value =
        serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
    assert_eq!(body["status"], "error", "{body}");
    server.stop().await;
}
