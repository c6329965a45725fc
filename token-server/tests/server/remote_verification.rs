//! Tokens that only Mozilla's accounts server can judge.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_LENGTH, header::LOCATION},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    process::{PATIENCE, Server, client, closed_door, json as body_of},
    vectors::{read, text},
};

/// An accounts server whose keys cannot be had. What it says of a token is in the token's text.
#[derive(Clone, Default)]
struct Accounts {
    questions: Arc<AtomicUsize>,
}

impl Accounts {
    async fn start(&self) -> String {
        let router = Router::new()
            .route("/v1/jwks", get(async || StatusCode::BAD_GATEWAY))
            .route("/v1/verify", post(judge))
            .with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }
}

async fn judge(State(accounts): State<Accounts>, Json(question): Json<Value>) -> Response {
    accounts.questions.fetch_add(1, Ordering::SeqCst);
    let token = text(&question, "token");
    let status = match token.strip_prefix("status-") {
        Some(status) => status.parse().ok(),
        None => asked_for(token),
    };
    if let Some(status) = status.filter(|status| *status != 200) {
        let status = StatusCode::from_u16(status).unwrap();
        return (status, [(LOCATION, "/v1/jwks")]).into_response();
    }
    match token {
        "silence" => {
            tokio::time::sleep(PATIENCE).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        // It breaks off.
        "half" => ([(CONTENT_LENGTH, "100")], "{").into_response(),
        "flood" => "x".repeat(1 << 20).into_response(),
        answer if answer.starts_with('{') => answer.to_owned().into_response(),
        _ => Json(good()).into_response(),
    }
}

/// A JWT, signed by nobody, about which the accounts server answers this.
fn jwt_about(status: u16) -> String {
    let segment = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = segment(json!({ "alg": "RS256", "typ": "at+jwt" }));
    format!("{header}.{}.AAAA", segment(json!({ "status": status })))
}

fn asked_for(token: &str) -> Option<u16> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    u16::try_from(claims["status"].as_u64()?).ok()
}

fn good() -> Value {
    json!({
        "user": "someone", "client_id": "5882386c6d801776", "generation": 5,
        "scope": ["profile", "https://identity.mozilla.com/apps/oldsync"],
    })
}

async fn server(url: &str, more: &[(&str, &str)]) -> Server {
    let mut settings = vec![
        ("oauth.server_url", url),
        ("oauth.email_domain", "accounts.example.test"),
        ("oauth.remote_timeout", "500ms"),
    ];
    settings.extend(more);
    Server::start(&settings).await
}

async fn show(server: &Server, token: &str) -> (u16, Value) {
    let request = client().get(server.url("/1.0/sync/1.5"));
    let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let may_come_back = response.headers().contains_key("retry-after");
    assert_eq!(may_come_back, status == 503, "{token}");
    (status, body_of(response).await)
}

#[tokio::test]
async fn the_accounts_server_tells_whose_a_token_is() {
    let accounts = Accounts::default();
    let server = server(&accounts.start().await, &[]).await;
    let jwt = text(&read("oauth_jwt.json")["cases"][0], "token").to_owned();
    let (status, someone) = show(&server, "opaque").await;
    assert_eq!(status, 200, "{someone}");
    // The keys are not to be had.
    let (status, body) = show(&server, &jwt).await;
    assert_eq!((status, &body["uid"]), (200, &someone["uid"]), "{body}");
    assert_eq!(accounts.questions(), 2);

    for (member, value, is_someone) in [
        ("user", json!("another"), false),
        ("issuer", json!("elsewhere.example.test"), false),
        ("issuer", json!("accounts.example.test"), true),
        ("issuer", Value::Null, true),
        ("generation", Value::Null, true),
        ("more", json!({ "a": 1 }), true),
    ] {
        let mut answer = good();
        answer[member] = value;
        let (status, body) = show(&server, &answer.to_string()).await;
        assert_eq!(status, 200, "{answer}: {body}");
        assert_eq!(body["uid"] == someone["uid"], is_someone, "{answer}");
    }
}

#[tokio::test]
async fn what_the_accounts_server_does_not_vouch_for_is_refused() {
    let accounts = Accounts::default();
    let server = server(&accounts.start().await, &[]).await;
    for (member, value) in [
        ("user", Value::Null),
        ("user", json!(7)),
        ("user", json!("")),
        ("user", json!("some one")),
        ("user", json!("x".repeat(300))),
        ("scope", Value::Null),
        ("scope", json!([])),
        ("scope", json!(["profile"])),
        (
            "scope",
            json!(["https://identity.mozilla.com/apps/oldsync/more"]),
        ),
        ("scope", json!("https://identity.mozilla.com/apps/oldsync")),
        ("generation", json!(-1)),
        ("generation", json!("5")),
        ("generation", json!(1.5)),
        ("issuer", json!(7)),
    ] {
        let mut answer = good();
        answer[member] = value;
        let (status, body) = show(&server, &answer.to_string()).await;
        assert_eq!(status, 401, "{answer}: {body}");
    }
    for (token, expected) in [
        ("{", 401),
        ("{}", 401),
        ("flood", 401),
        ("status-400", 401),
        ("status-401", 401),
        ("status-204", 401),
        ("status-302", 401),
        ("status-403", 401),
        ("status-429", 401),
        ("status-500", 401),
        ("status-503", 401),
        ("silence", 503),
        ("half", 503),
        ("opaque", 200),
    ] {
        let (status, body) = show(&server, token).await;
        assert_eq!(status, expected, "{token}: {body}");
        let text = if expected == 401 {
            "invalid-credentials"
        } else {
            "error"
        };
        assert!(expected == 200 || body["status"] == text, "{token}: {body}");
    }
}

#[tokio::test]
async fn a_jwt_is_refused_only_by_a_server_that_is_well() {
    let accounts = Accounts::default();
    let server = server(&accounts.start().await, &[]).await;
    for (status, expected) in [
        (200, 200),
        (400, 401),
        (401, 401),
        (302, 401),
        (429, 503),
        (500, 503),
        (502, 503),
    ] {
        // Its keys are not to be had either, so only it can tell.
        let (seen, body) = show(&server, &jwt_about(status)).await;
        assert_eq!(seen, expected, "{status}: {body}");
    }
}

#[tokio::test]
async fn an_accounts_server_that_cannot_be_reached_refuses_nobody() {
    let (_socket, url) = closed_door();
    let server = server(&url, &[]).await;
    for token in ["opaque", &jwt_about(200)] {
        let (status, body) = show(&server, token).await;
        assert_eq!(status, 503, "{body}");
        let description = &body["errors"][0]["description"];
        assert_eq!(description, "Resource is not available", "{body}");
    }
}

#[tokio::test]
async fn no_more_is_asked_than_the_settings_allow() {
    let accounts = Accounts::default();
    let url = accounts.start().await;
    let without = server(&url, &[("oauth.remote_verify", "false")]).await;
    assert_eq!(show(&without, "opaque").await.0, 401);
    assert_eq!(accounts.questions(), 0);

    let limits = [
        ("oauth.max_remote_requests", "1"),
        ("oauth.remote_timeout", "2s"),
    ];
    let one_at_a_time = server(&url, &limits).await;
    tokio::select! {
        _ = show(&one_at_a_time, "silence") => panic!("it was to wait"),
        () = async {
            while accounts.questions() == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            assert_eq!(show(&one_at_a_time, "opaque").await.0, 503);
        } => {}
    }
    assert_eq!(accounts.questions(), 1);
}
