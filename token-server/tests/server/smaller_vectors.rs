//! Key identifiers, hashes, and secrets of nodes, as Mozilla's server made them.

use std::fs;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{
    RequestBuilder,
    header::{AUTHORIZATION, HeaderValue},
};
use serde_json::{Map, Value, json};
use workers::crypto::tokenlib;

use crate::{
    assertions::Provider,
    issuer::{Issuer, SigningKey, jwks, now_s},
    process::{Server, TOKEN_SECRET, WITHIN_A_SECOND, answered, client, json as body_of, warm_up},
    vectors::{read, text},
};

#[tokio::test]
async fn tokens_hold_what_every_group_of_the_vectors_says() {
    let Value::Object(mut groups) = read("misc.json") else {
        panic!("an object of groups");
    };
    let mut take = |group: &str| groups.remove(group).unwrap();
    key_ids_in_tokens(&take("fxa_kid")).await;
    key_ids_in_headers(&take("x_keyid")).await;
    hashes(&take("metrics_hash")).await;
    node_secrets(&take("derived_node_secrets")["cases"]).await;
    let mut left: Vec<_> = groups.keys().collect();
    left.sort();
    assert_eq!(
        left,
        ["format", "how", "set"],
        "nobody has looked at a group"
    );
}

fn list(value: &Value) -> &[Value] {
    let list = value.as_array().unwrap();
    assert!(!list.is_empty());
    list
}

/// What a client gets; every answer within a second.
async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = answered(request).await;
    let status = response.status().as_u16();
    (status, body_of(response).await)
}

/// What the token in a good answer says.
fn claims((status, body): &(u16, Value), secret: &str) -> Map<String, Value> {
    assert_eq!(*status, 200, "{body}");
    tokenlib::parse(text(body, "id"), secret.as_bytes(), now_s()).unwrap()
}

async fn key_ids_in_tokens(cases: &Value) {
    let provider = Provider::start().await;
    let server = server(&[("browserid.gateway", &provider.gateway)]).await;
    let log_in = |user: &str, case: &Value| {
        let changed = json!({ "fxa-keysChangedAt": case["keys_changed_at"] });
        let assertion = provider.assertion(user, &changed);
        let request = client().get(server.url("/1.0/sync/1.5"));
        request
            .header(AUTHORIZATION, format!("BrowserID {assertion}"))
            .header("X-Client-State", text(case, "client_state_hex"))
    };
    warm_up(log_in("somebody", &list(cases)[0])).await;
    for (number, case) in list(cases).iter().enumerate() {
        let answer = answer(log_in(&format!("user-{number}"), case)).await;
        let claims = claims(&answer, TOKEN_SECRET);
        assert_eq!(claims["fxa_kid"], case["fxa_kid"]);
    }
}

async fn key_ids_in_headers(cases: &Value) {
    let key = SigningKey::es256("a");
    let issuer = Issuer::start(jwks(&[&key])).await;
    let server = server(&[
        ("issuers.idp.issuer", issuer.url()),
        ("issuers.idp.domain", "idp.example.test"),
        ("issuers.idp.audiences", r#"["token-server"]"#),
    ])
    .await;
    let log_in = |user: &str, key_id: &str| {
        let token = key.sign(&json!({
            "iss": issuer.url(), "sub": user, "aud": "token-server", "exp": now_s() + 600,
        }));
        let request = client().get(server.url("/1.0/sync/1.5"));
        request
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header("X-KeyID", HeaderValue::from_str(key_id).unwrap())
    };
    warm_up(log_in("somebody", "")).await;
    for (number, case) in list(cases).iter().enumerate() {
        let (shown, expected) = (text(case, "x_keyid"), &case["python"]);
        let answer = answer(log_in(&format!("user-{number}"), shown)).await;
        let (status, body) = &answer;
        if expected["error"].is_string() {
            let seen = (*status, &body["status"]);
            assert_eq!(seen, (401, &json!("invalid-credentials")), "{shown:?}");
        } else if expected["length_ok"] == false {
            let seen = (*status, &body["errors"][0]["name"]);
            assert_eq!(seen, (400, &json!("X-Client-State")), "{shown:?}");
        } else {
            let state = URL_SAFE_NO_PAD.encode(bytes(text(expected, "client_state")));
            let number = expected["keys_changed_at"].as_u64().unwrap();
            let claims = claims(&answer, TOKEN_SECRET);
            assert_eq!(
                claims["fxa_kid"],
                format!("{number:013}-{state}"),
                "{shown:?}"
            );
        }
    }
}

async fn hashes(cases: &Value) {
    let provider = Provider::start().await;
    for case in list(cases) {
        let server = server(&[
            ("browserid.gateway", &provider.gateway),
            ("secrets.metrics", text(case, "secret")),
        ])
        .await;
        let device = match &case["device_id"] {
            Value::Null => json!({}),
            device => json!({ "fxa-deviceId": device }),
        };
        let assertion = provider.assertion(text(case, "fxa_uid"), &device);
        let request = client().get(server.url("/1.0/sync/1.5"));
        let request = request.header(AUTHORIZATION, format!("BrowserID {assertion}"));
        warm_up(request.try_clone().unwrap()).await;
        let answer = answer(request).await;
        assert_eq!(answer.1["hashed_fxa_uid"], case["hashed_fxa_uid"]);
        let claims = claims(&answer, TOKEN_SECRET);
        for hash in ["hashed_fxa_uid", "hashed_device_id"] {
            assert_eq!(claims[hash], case[hash], "{case}");
        }
    }
}

async fn node_secrets(cases: &Value) {
    let provider = Provider::start().await;
    let directory = tempfile::tempdir().unwrap();
    let master = directory.path().join("master");
    for case in list(cases) {
        fs::write(&master, text(case, "master_secret")).unwrap();
        let mut settings = vec![
            ("browserid.gateway", provider.gateway.as_str()),
            ("secrets.master_file", master.to_str().unwrap()),
            ("applications.sync.version", "\"1.5\""),
            ("applications.sync.init_node_url", text(case, "node")),
        ];
        settings.extend(WITHIN_A_SECOND);
        let server = Server::start_beside_without_secret(&settings).await;
        let assertion = provider.assertion("user", &json!({}));
        let request = client().get(server.url("/1.0/sync/1.5"));
        let request = request.header(AUTHORIZATION, format!("BrowserID {assertion}"));
        warm_up(request.try_clone().unwrap()).await;
        let answer = answer(request).await;
        let claims = claims(&answer, text(case, "node_secret"));
        assert_eq!(claims["node"], case["node"]);
    }
}

async fn server(more: &[(&str, &str)]) -> Server {
    Server::start(&[more, &WITHIN_A_SECOND].concat()).await
}

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}
