//! Bearer tokens: Mozilla's, and those of any other issuer.

use reqwest::{RequestBuilder, header::AUTHORIZATION};
use serde_json::{Value, json};

use crate::{
    accounts,
    issuer::{Issuer, SigningKey, jwks, now_s},
    process::{Server, WITHIN_A_SECOND, answered, client, json as body, warm_up},
    vectors::{read, text},
};

fn showing(server: &Server, token: &str) -> RequestBuilder {
    let request = client().get(server.url("/1.0/sync/1.5"));
    request.header(AUTHORIZATION, format!("Bearer {token}"))
}

pub(crate) async fn show(server: &Server, token: &str) -> (u16, Value) {
    let response = showing(server, token).send().await.unwrap();
    let status = response.status().as_u16();
    if status == 503 {
        assert!(response.headers().contains_key("retry-after"));
    }
    (status, body(response).await)
}

#[tokio::test]
async fn mozillas_access_tokens_get_the_answers_of_the_vectors() {
    let vectors = read("oauth_jwt.json");
    let accounts = accounts::start(vectors["jwks"].clone()).await;
    let mut settings = vec![
        ("oauth.server_url", accounts.as_str()),
        ("oauth.email_domain", "accounts.example.test"),
    ];
    settings.extend(WITHIN_A_SECOND);
    let server = Server::start(&settings).await;
    warm_up(showing(&server, text(&vectors["cases"][0], "token"))).await;
    let mut uid = None;
    for case in vectors["cases"].as_array().unwrap() {
        let response = answered(showing(&server, text(case, "token"))).await;
        let (status, body) = (response.status(), body(response).await);
        let what = format!("{}: {status} {body}", text(case, "id"));
        if case["expect"] == "reject" {
            assert_eq!(status, 401, "{what}");
            assert_eq!(body["status"], "invalid-credentials", "{what}");
        } else {
            assert_eq!(status, 200, "{what}");
            assert_eq!(
                *uid.get_or_insert(body["uid"].clone()),
                body["uid"],
                "{what}"
            );
        }
    }
}

/// Settings for one issuer of JWTs, which is asked again at every chance.
pub(crate) async fn server_trusting(issuer: &Issuer, more: &[(&str, &str)]) -> Server {
    let mut settings = vec![
        ("issuers.idp.issuer", issuer.url()),
        ("issuers.idp.domain", "idp.example.test"),
        ("issuers.idp.audiences", r#"["token-server"]"#),
        ("jwks.fresh_for", "1ms"),
        ("jwks.retry_after", "1ms"),
        ("jwks.timeout", "300ms"),
    ];
    settings.extend(more);
    Server::start(&settings).await
}

pub(crate) fn claims(issuer: &Issuer) -> Value {
    json!({
        "iss": issuer.url(),
        "sub": "user-1",
        "aud": ["other", "token-server"],
        "exp": now_s() + 600,
        "scope": "openid sync",
        "groups": ["staff", "sync-users"],
    })
}

/// The same signed claims in a form that is not for headers (RFC 7515, sections 7.2.1 and 7.2.2).
fn as_json(token: &str, flattened: bool) -> String {
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("{token}");
    };
    let mut signed = json!({ "protected": header, "signature": signature });
    if flattened {
        signed["payload"] = claims.into();
    } else {
        signed = json!({ "payload": claims, "signatures": [signed] });
    }
    signed.to_string()
}

/// `claims` with one of them changed, or taken away.
fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

#[tokio::test]
async fn any_issuer_is_found_by_discovery_and_its_conditions_count() {
    let (first, second) = (SigningKey::es256("a"), SigningKey::eddsa("b"));
    let stranger = SigningKey::es256("a");
    let issuer = Issuer::start(jwks(&[&first, &second])).await;
    let server = server_trusting(
        &issuer,
        &[
            ("issuers.idp.scopes", r#"["sync"]"#),
            ("issuers.idp.claims", r#"{groups = "sync-users"}"#),
        ],
    )
    .await;
    let good = claims(&issuer);
    let (status, first_answer) = show(&server, &first.sign(&good)).await;
    assert_eq!(status, 200, "{first_answer}");
    let (status, second_answer) = show(&server, &second.sign(&good)).await;
    assert_eq!(status, 200, "{second_answer}");
    assert_eq!(first_answer["uid"], second_answer["uid"], "one user");

    for (what, token) in [
        ("a foreign key", stranger.sign(&good)),
        (
            "a foreign issuer",
            first.sign(&with(good.clone(), "iss", json!("https://evil.test"))),
        ),
        (
            "another audience",
            first.sign(&with(good.clone(), "aud", json!("other"))),
        ),
        (
            "too old",
            first.sign(&with(good.clone(), "exp", json!(now_s() - 60))),
        ),
        (
            "no expiry",
            first.sign(&with(good.clone(), "exp", Value::Null)),
        ),
        (
            "not yet valid",
            first.sign(&with(good.clone(), "nbf", json!(now_s() + 600))),
        ),
        (
            "a lesser scope",
            first.sign(&with(good.clone(), "scope", json!("openid sync:read"))),
        ),
        (
            "another group",
            first.sign(&with(good.clone(), "groups", json!(["staff"]))),
        ),
        ("no user", first.sign(&with(good.clone(), "sub", json!("")))),
        ("no token", "JUNK".to_owned()),
        ("flattened JSON", as_json(&first.sign(&good), true)),
        ("general JSON", as_json(&first.sign(&good), false)),
    ] {
        let (status, body) = show(&server, &token).await;
        assert_eq!(status, 401, "{what}: {body}");
        assert_eq!(body["status"], "invalid-credentials", "{what}");
    }
}

#[tokio::test]
async fn an_application_takes_only_the_identities_that_it_names() {
    let key = SigningKey::es256("a");
    let issuer = Issuer::start(jwks(&[&key])).await;
    let server = server_trusting(
        &issuer,
        &[
            ("applications.sync.version", "\"1.5\""),
            ("applications.sync.identities", r#"["browserid"]"#),
        ],
    )
    .await;
    let (status, body) = show(&server, &key.sign(&claims(&issuer))).await;
    assert_eq!(status, 401);
    assert_eq!(body["errors"][0]["description"], "Unsupported");
}

#[tokio::test]
async fn an_issuer_is_not_asked_for_every_unknown_key() {
    let key = SigningKey::es256("a");
    let issuer = Issuer::start(jwks(&[&key])).await;
    let server = server_trusting(
        &issuer,
        &[("jwks.fresh_for", "1h"), ("jwks.retry_after", "1h")],
    )
    .await;
    let (status, _) = show(&server, &key.sign(&claims(&issuer))).await;
    assert_eq!(status, 200);
    for number in 0..20 {
        let unknown = SigningKey::es256(&number.to_string());
        let (status, _) = show(&server, &unknown.sign(&claims(&issuer))).await;
        assert_eq!(status, 401);
    }
    assert_eq!(issuer.questions(), 1);
}

#[tokio::test]
async fn a_key_that_was_added_since_is_asked_for_though_the_others_are_fresh() {
    let (old, new) = (SigningKey::es256("old"), SigningKey::eddsa("new"));
    let issuer = Issuer::start(jwks(&[&old])).await;
    let server = server_trusting(&issuer, &[("jwks.fresh_for", "1h")]).await;
    let (status, body) = show(&server, &old.sign(&claims(&issuer))).await;
    assert_eq!(status, 200, "{body}");
    issuer.set(jwks(&[&old, &new]));
    let (status, body) = show(&server, &old.sign(&claims(&issuer))).await;
    assert_eq!((status, issuer.questions()), (200, 1), "{body}");
    // Longer than the issuer is left alone after the first question.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let (status, body) = show(&server, &new.sign(&claims(&issuer))).await;
    assert_eq!((status, issuer.questions()), (200, 2), "{body}");
}

#[tokio::test]
async fn an_issuers_own_user_claim_types_and_leeway_count() {
    let key = SigningKey::es256("a");
    let issuer = Issuer::start(jwks(&[&key])).await;
    let server = server_trusting(
        &issuer,
        &[
            ("issuers.idp.user_claim", "employee"),
            ("issuers.idp.types", r#"["at+jwt"]"#),
            ("issuers.idp.leeway", "10m"),
        ],
    )
    .await;
    let good = with(claims(&issuer), "employee", json!("e-1"));
    let (status, first) = show(&server, &key.sign_as("at+jwt", &good)).await;
    assert_eq!(status, 200, "{first}");
    let renamed = with(good.clone(), "sub", json!("user-2"));
    let (status, same) = show(&server, &key.sign_as("application/AT+JWT", &renamed)).await;
    assert_eq!((status, &same["uid"]), (200, &first["uid"]), "{same}");
    let colleague = with(good.clone(), "employee", json!("e-2"));
    let (status, other) = show(&server, &key.sign_as("at+jwt", &colleague)).await;
    assert_eq!(status, 200, "{other}");
    assert_ne!(other["uid"], first["uid"], "another user");

    for (what, claim, value, expected) in [
        ("too old, but for the leeway", "exp", now_s() - 120, 200),
        ("too old", "exp", now_s() - 1200, 401),
        (
            "not yet valid, but for the leeway",
            "nbf",
            now_s() + 120,
            200,
        ),
        ("not yet valid", "nbf", now_s() + 1200, 401),
    ] {
        let token = key.sign_as("at+jwt", &with(good.clone(), claim, json!(value)));
        let (status, body) = show(&server, &token).await;
        assert_eq!(status, expected, "{what}: {body}");
    }
    for (what, token) in [
        ("another type", key.sign_as("JWT", &good)),
        (
            "no such claim",
            key.sign_as("at+jwt", &with(good, "employee", Value::Null)),
        ),
    ] {
        let (status, body) = show(&server, &token).await;
        assert_eq!(status, 401, "{what}: {body}");
    }
}
