use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Json, Router, routing::post};
use reqwest::{Method, StatusCode, header::AUTHORIZATION};
use rustix::process::{Signal, kill_process};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

use crate::{
    gateway,
    hostile_clients::answer_to,
    process::{PATIENCE, Server, client, json, wait_until_gone},
    vectors::{read, text},
};

/// A good assertion of the vectors and a gateway that vouches for it.
async fn good_assertion() -> (String, String) {
    let vectors = read("browserid_assertions.json");
    let gateway = gateway::start(vectors["documents"].clone()).await;
    let case = &vectors["cases"][0];
    assert_eq!(case["expect"], "accept");
    (format!("BrowserID {}", text(case, "assertion")), gateway)
}

#[tokio::test]
async fn an_assertion_may_name_any_of_the_audiences() {
    let (authorization, gateway) = good_assertion().await;
    for (audiences, expected) in [
        (
            r#"["https://other.test", "https://token.example.test"]"#,
            200,
        ),
        (r#"["https://other.test", "https://another.test"]"#, 401),
    ] {
        let server = Server::start(&[
            ("browserid.gateway", &gateway),
            ("browserid.audience", audiences),
        ])
        .await;
        let request = client().get(server.url("/1.0/sync/1.5"));
        let response = request.header(AUTHORIZATION, &authorization).send().await;
        assert_eq!(response.unwrap().status(), expected, "{audiences}");
        let root: Value = json(client().get(server.url("/")).send().await.unwrap()).await;
        assert_eq!(root["auth"], "https://other.test");
    }
}

#[tokio::test]
async fn sigterm_stops_the_server_and_its_workers() {
    let server = Server::start(&[]).await;
    let workers = server.running.worker_pids();
    assert_eq!(workers.len(), 2);
    let response = client()
        .get(server.url("/__heartbeat__"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let Server { running, directory } = server;
    running.signal(Signal::TERM);
    let (status, _) = running.wait();
    assert!(status.success(), "{status}");
    for worker in workers {
        wait_until_gone(worker);
    }
    let left: Vec<_> = directory
        .path()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["users.db"], "no journal, no socket");
}

#[tokio::test]
async fn workers_die_with_a_server_that_was_killed() {
    let server = Server::start(&[]).await;
    let workers = server.running.worker_pids();
    server.running.signal(Signal::KILL);
    for worker in workers {
        wait_until_gone(worker);
    }
}

#[tokio::test]
async fn crashed_workers_are_replaced() {
    let (authorization, gateway) = good_assertion().await;
    let server = Server::start(&[
        ("browserid.gateway", &gateway),
        ("http.request_timeout", "60s"),
    ])
    .await;
    for worker in server.running.worker_pids() {
        kill_process(worker, Signal::KILL).unwrap();
        wait_until_gone(worker);
    }
    // Nobody but their successors can do the work.
    let response = client()
        .get(server.url("/1.0/sync/1.5"))
        .header(AUTHORIZATION, authorization)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn without_a_worker_the_answer_is_503_within_the_deadline() {
    let (authorization, gateway) = good_assertion().await;
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("ipc://{}", directory.path().join("w").display());
    let server = Server::start(&[
        ("browserid.gateway", &gateway),
        ("workers.count", "0"),
        ("workers.endpoint", &endpoint),
        ("browserid.documents.timeout", "900ms"),
        ("http.request_timeout", "1s"),
    ])
    .await;
    let response = client()
        .get(server.url("/1.0/sync/1.5"))
        .header(AUTHORIZATION, authorization)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let retry_after = response.headers()["retry-after"].to_str().unwrap();
    assert!(retry_after.parse::<u64>().unwrap() >= 1);
    let body: Value = json(response).await;
    assert_eq!(
        body,
        serde_json::json!({
            "status": "error",
            "errors": [{"location": "body", "name": "", "description": "Resource is not available"}],
        })
    );
    let response = client()
        .get(server.url("/__heartbeat__"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_pool_with_more_to_do_than_it_can_costs_503s_and_nothing_afterwards() {
    let (authorization, gateway) = good_assertion().await;
    let server = Server::start(&[
        ("browserid.gateway", &gateway),
        ("workers.count", "1"),
        ("browserid.documents.timeout", "900ms"),
        ("http.request_timeout", "1s"),
    ])
    .await;
    let client = client();
    let trade = || {
        let request = client.get(server.url("/1.0/sync/1.5"));
        request.header(AUTHORIZATION, &authorization).send()
    };
    assert_eq!(trade().await.unwrap().status(), StatusCode::OK);

    let worker = server.running.worker_pids()[0];
    kill_process(worker, Signal::STOP).unwrap();
    let mut crowd = (0..100).map(|_| trade()).collect::<JoinSet<_>>();
    let response = client.get(server.url("/__lbheartbeat__")).send().await;
    assert_eq!(response.unwrap().status(), StatusCode::OK, "all the while");
    while let Some(answer) = crowd.join_next().await {
        let answer = answer.unwrap().unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        let retry_after = answer.headers()["retry-after"].to_str().unwrap();
        assert!(retry_after.parse::<u64>().unwrap() >= 1);
    }

    kill_process(worker, Signal::CONT).unwrap();
    let start = Instant::now();
    while trade().await.unwrap().status() != StatusCode::OK {
        assert!(start.elapsed() < PATIENCE, "it does not recover");
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_of_every_answer() {
    let server = Server::start(&[]).await;
    let long = "x".repeat(40_000);
    let (get, post) = (Method::GET, Method::POST);
    for (method, path, header, expected) in [
        (&get, "/", "", 200),
        (&get, "/nowhere", "", 404),
        (&get, "/metrics", "", 404),
        (&get, "/__error__", "", 500),
        (&get, "/.well-known/jwks.json", "", 200),
        (&get, "/1.0/sync/1.5", "", 401),
        (&get, "/1.0/sync/1.5/more", "", 404),
        (&get, "/1.0/%ff/1.5", "", 404),
        (&get, "/__lbheartbeat__", "", 200),
        (&get, "/__version__", "", 200),
        (&post, "/1.0/sync/1.5", "", 405),
        (&get, "/__lbheartbeat__", long.as_str(), 431),
    ] {
        let response = client()
            .request(method.clone(), server.url(path))
            .header("X-Long", header)
            .send()
            .await
            .unwrap();
        let what = format!("{method} {path}");
        assert_eq!(response.status(), expected, "{what}");
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{what}");
        assert!(
            headers["x-timestamp"]
                .to_str()
                .unwrap()
                .parse::<u64>()
                .is_ok(),
            "{what}"
        );
        assert!(headers.contains_key("x-request-id"), "{what}");
        assert_eq!(headers["content-type"], "application/json", "{what}");
        let body: Value = json(response).await;
        assert_eq!(
            body["status"].is_string(),
            expected >= 400,
            "{what}: {body}"
        );
    }
    let response = client()
        .get(server.url("/__lbheartbeat__"))
        .body("x".repeat(20_000))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_proxys_request_id_is_kept() {
    let server = Server::start(&[]).await;
    let ask = |id: &'static str| {
        client()
            .get(server.url("/__lbheartbeat__"))
            .header("X-Request-Id", id)
            .send()
    };
    let response = ask("from-the_proxy.1").await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "from-the_proxy.1");
    let response = ask("not usable {}").await.unwrap();
    assert_ne!(response.headers()["x-request-id"], "not usable {}");
}

/// An accounts server that vouches for every token, but only when the test lets it. The URL, how often it
/// was asked, and what its answers wait for.
async fn slow_accounts() -> (String, Arc<AtomicUsize>, Arc<Semaphore>) {
    let questions = Arc::new(AtomicUsize::new(0));
    let answers = Arc::new(Semaphore::new(0));
    let vouch = {
        let (questions, answers) = (Arc::clone(&questions), Arc::clone(&answers));
        async move || {
            questions.fetch_add(1, Ordering::SeqCst);
            answers.acquire().await.unwrap().forget();
            Json(serde_json::json!({
                "user": "someone",
                "scope": ["https://identity.mozilla.com/apps/oldsync"],
            }))
        }
    };
    let router = Router::new().route("/v1/verify", post(vouch));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, questions, answers)
}

#[tokio::test]
async fn requests_in_flight_are_finished_before_the_server_stops() {
    const REQUESTS: usize = 50;
    let (accounts, questions, answers) = slow_accounts().await;
    let server = Server::start(&[
        ("oauth.server_url", &accounts),
        ("oauth.email_domain", "accounts.example.test"),
        ("oauth.remote_timeout", "20s"),
        ("http.request_timeout", "30s"),
    ])
    .await;
    let mut requests = JoinSet::new();
    for _ in 0..REQUESTS {
        let request = client()
            .get(server.url("/1.0/sync/1.5"))
            .header(AUTHORIZATION, "Bearer opaque");
        requests.spawn(async move { request.send().await.map(|response| response.status()) });
    }
    let start = Instant::now();
    while questions.load(Ordering::SeqCst) < REQUESTS {
        assert!(start.elapsed() < PATIENCE, "they do not arrive");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.running.signal(Signal::TERM);
    // What is sent after the signal may fail in any way, until the door is seen to be closed.
    loop {
        let late = client().get(server.url("/__lbheartbeat__")).send().await;
        if late.is_err_and(|error| error.is_connect()) {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "the door stays open");
    }
    answers.add_permits(REQUESTS);
    while let Some(outcome) = requests.join_next().await {
        assert_eq!(outcome.unwrap().unwrap(), StatusCode::OK);
    }
    let Server { running, .. } = server;
    let (status, _) = running.wait();
    assert!(status.success(), "{status}");
}

/// A request with a body in chunks that nobody has announced the length of, and another request behind it.
fn chunked(bytes: usize) -> Vec<u8> {
    const CHUNK: usize = 1000;
    let head = "POST /1.0/sync/1.5 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut request = head.as_bytes().to_vec();
    for _ in 0..bytes / CHUNK {
        request.extend(format!("{CHUNK:x}\r\n{}\r\n", "x".repeat(CHUNK)).as_bytes());
    }
    request.extend(b"0\r\n\r\nGET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\n\r\n");
    request
}

#[tokio::test]
async fn a_body_of_unknown_length_is_taken_up_to_the_limit_and_not_waited_for_beyond_the_deadline()
{
    let server = Server::start(&[
        ("http.max_body_bytes", "10000"),
        ("http.request_timeout", "1s"),
        ("browserid.documents.timeout", "900ms"),
        ("http.idle_timeout", "2s"),
    ])
    .await;
    let address = server.running.url().strip_prefix("http://").unwrap();
    let unfinished = &chunked(5000)[..2000];
    let misshapen = String::from_utf8(chunked(5000))
        .unwrap()
        .replace("3e8", "xyz");
    for (request, statuses) in [
        (&chunked(0)[..], &["405", "200"][..]),
        (&chunked(10_000), &["405", "200"]),
        (&chunked(11_000), &["413", "200"]),
        (&chunked(1_000_000), &["413"]),
        (unfinished, &["408"]),
        (misshapen.as_bytes(), &["400"]),
    ] {
        let answer = answer_to(address, request).await;
        let seen: Vec<&str> = (answer.split("HTTP/1.1 ").skip(1))
            .map(|answer| &answer[..3])
            .collect();
        assert_eq!(seen, statuses, "{answer}");
        let bodies = answer.matches("\"errors\":[{").count();
        assert_eq!(bodies, 1, "{answer}");
        let others = client().get(server.url("/__lbheartbeat__")).send().await;
        assert_eq!(others.unwrap().status(), StatusCode::OK);
    }
}
