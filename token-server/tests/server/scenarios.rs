//! Conversations with Mozilla's own server, recorded, and had again with this one.

use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};

use reqwest::{Client, Response, header::AUTHORIZATION};
use serde_json::Value;
use workers::crypto::tokenlib;

use crate::{
    accounts,
    database::{Database, Kind},
    gateway,
    process::{Server, TOKEN_SECRET, WITHIN_A_SECOND, client, json, warm_up},
    vectors::{list, read, text},
};

#[tokio::test]
async fn every_step_gets_the_recorded_answer_on_every_database() {
    for kind in Kind::wanted() {
        let database = Database::make(kind).await;
        play(&database.url).await;
        database.remove().await;
    }
}

async fn play(database: &str) {
    let vectors = read("http_scenarios.json");
    let config = &vectors["server_config"];
    let gateway = gateway::start(vectors["support_documents"].clone()).await;
    let accounts = accounts::start(config["oauth_jwks"].clone()).await;
    let (trusted, allowed) = (
        list(&config["trusted_issuers"]),
        list(&config["allowed_issuers"]),
    );
    let types = r#"[{label = "mysql", pattern = "https://node*"}]"#;
    let mut settings = vec![
        ("database.url", database),
        ("browserid.gateway", &gateway),
        ("browserid.trusted_issuers", &trusted),
        ("browserid.allowed_issuers", &allowed),
        ("oauth.server_url", &accounts),
        (
            "oauth.email_domain",
            text(config, "oauth_default_issuer / fxa_email_domain"),
        ),
        ("applications.sync.version", "\"1.5\""),
        ("applications.sync.token_lifetime", "1h"),
        ("nodes.types", types),
    ];
    settings.extend(WITHIN_A_SECOND);
    let server = Server::start(&settings).await;
    let client = client();
    warm_up(
        client
            .get(server.url("/1.0/sync/1.5"))
            .header(AUTHORIZATION, badly_signed(&vectors["scenarios"][0])),
    )
    .await;
    let mut played = 0;
    for scenario in vectors["scenarios"].as_array().unwrap() {
        let id = text(scenario, "id");
        let mut uids = HashMap::new();
        for (number, step) in scenario["steps"].as_array().unwrap().iter().enumerate() {
            let note = text(step, "note");
            let what = format!("{database}, {id}, step {}: {note}", number + 1);
            let response = ask(&client, &server, step).await;
            check(response, &step["expect"], &mut uids, &what).await;
            played += 1;
        }
    }
    assert_eq!(played, 74);
}

/// The first assertion of a scenario, less the end of its signature: it costs as much as a good one, and
/// adds no user.
fn badly_signed(scenario: &Value) -> &str {
    let assertion = text(&scenario["steps"][0]["headers"], "Authorization");
    &assertion[..assertion.len() - 4]
}

async fn ask(client: &Client, server: &Server, step: &Value) -> Response {
    let mut request = client.get(server.url(text(step, "path")));
    for (name, value) in step["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request.send().await.unwrap()
}

async fn check(response: Response, expected: &Value, uids: &mut HashMap<String, u64>, what: &str) {
    let status = u64::from(response.status().as_u16());
    let headers = response.headers().clone();
    let body: Value = json(response).await;
    match expected["status_any_of"].as_array() {
        Some(any) => assert!(any.contains(&status.into()), "{what}: {status} {body}"),
        None => assert_eq!(expected["status"], status, "{what}: {body}"),
    }
    assert!(headers.contains_key("x-timestamp"), "{what}");
    assert_eq!(headers["x-content-type-options"], "nosniff", "{what}");
    for (name, value) in expected["headers"].as_object().unwrap() {
        // White space around values means nothing in HTTP.
        assert_eq!(
            headers[name.as_str()].to_str().unwrap().trim(),
            value.as_str().unwrap().trim(),
            "{what}"
        );
    }
    if let Some(status) = expected["body_status"].as_str() {
        assert_eq!(body["status"], status, "{what}: {body}");
    }
    for (name, value) in expected["body"].as_object().into_iter().flatten() {
        assert_eq!(&body[name], value, "{what}: {name} in {body}");
    }
    if let Some(symbol) = expected["uid"].as_str() {
        check_token(&body, expected, what);
        let uid = body["uid"].as_u64().unwrap();
        match uids.get(symbol) {
            Some(known) => assert_eq!(uid, *known, "{what}: {symbol} is somebody else now"),
            None => {
                let seen = uids.values().any(|known| *known == uid);
                assert!(!seen, "{what}: {symbol} has a uid seen before");
                uids.insert(symbol.to_owned(), uid);
            }
        }
    }
}

fn check_token(body: &Value, expected: &Value, what: &str) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let token = text(body, "id");
    let claims = tokenlib::parse(token, TOKEN_SECRET.as_bytes(), now).unwrap();
    for (name, value) in expected["token"].as_object().unwrap() {
        assert_eq!(&claims[name], value, "{what}: {name} in {claims:?}");
    }
    let uid = &body["uid"];
    assert_eq!(&claims["uid"], uid, "{what}");
    let endpoint = format!("{}/1.5/{uid}", text(&expected["token"], "node"));
    assert_eq!(body["api_endpoint"], endpoint, "{what}");
    let lifetime = expected["token_expires_in_s"].as_u64().unwrap();
    let expires = claims["expires"].as_u64().unwrap();
    let issued = expires - lifetime;
    assert!(
        (now - 60..=now).contains(&issued),
        "{what}: issued at {issued}, it is {now}"
    );
    let salt = claims["salt"].as_str().unwrap();
    let key = tokenlib::derived_key(TOKEN_SECRET.as_bytes(), token, salt);
    assert_eq!(body["key"], key, "{what}");
}
