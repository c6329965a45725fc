//! What services get that are not Sync: other formats, other places, no nodes.

use std::{collections::BTreeSet, fs};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use tempfile::TempDir;
use workers::crypto::tokenlib;

use crate::{
    issuer::{Issuer, SigningKey, jwks, now_s},
    process::{Server, TOKEN_SECRET, client, json as body_of},
    vectors::text,
};

/// Long enough for HS256.
const SECRET: &str = "a secret that the services and this server share";

/// What a client's key is called, and how the database and tokens name it.
const KEY: (&str, &str) = ("1234-qqo", "0000000001234-qqo");

/// A server with all sorts of applications, and who vouches for their users.
struct Stage {
    server: Server,
    key: SigningKey,
    issuer: Issuer,
    _directory: TempDir,
}

impl Stage {
    async fn set() -> Self {
        let key = SigningKey::es256("a");
        let issuer = Issuer::start(jwks(&[&key])).await;
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("secret");
        fs::write(&secret, SECRET).unwrap();
        let secret = secret.to_str().unwrap();
        let settings = [
            ("issuers.idp.issuer", issuer.url()),
            ("issuers.idp.domain", "idp.example.test"),
            ("issuers.idp.audiences", r#"["token-server"]"#),
            ("applications.plain.version", "\"1\""),
            ("applications.plain.nodes", "false"),
            (
                "applications.plain.endpoint",
                "https://plain.test/{service}/{uid}",
            ),
            ("applications.spread.version", "\"2\""),
            ("applications.spread.init_node_url", "https://spread1.test"),
            ("applications.spread.secret_file", secret),
            ("applications.spread.token.format", "jwt"),
            ("applications.spread.token.algorithm", "HS256"),
            ("applications.one.version", "\"3\""),
            ("applications.one.nodes", "false"),
            ("applications.one.endpoint", "https://one.test/{uid}"),
            ("applications.one.secret_file", secret),
            ("applications.one.token.format", "jwt"),
            ("applications.one.token.algorithm", "HS256"),
        ];
        Self {
            server: Server::start_beside(&settings).await,
            key,
            issuer,
            _directory: directory,
        }
    }

    async fn log_in(&self, path: &str, user: &str, key_id: Option<&str>) -> Value {
        let token = self.key.sign(&json!({
            "iss": self.issuer.url(), "sub": user, "aud": "token-server", "exp": now_s() + 600,
        }));
        let mut request = client()
            .get(self.server.url(path))
            .header(AUTHORIZATION, format!("Bearer {token}"));
        if let Some(key_id) = key_id {
            request = request.header("X-KeyID", key_id);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let body = body_of(response).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

/// The claims of a JWT that is signed with HS256 and the services' secret.
fn claims(token: &str) -> Value {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
    let (_, claims) = signed.split_once('.').unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

fn names(object: &Value) -> BTreeSet<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn a_service_without_nodes_gets_tokens_of_tokenlib_that_name_the_user() {
    let stage = Stage::set().await;
    let before = now_s();
    let answer = stage
        .log_in("/1.0/plain/1?duration=60", "a/b|ä", Some(KEY.0))
        .await;
    assert_eq!(answer["uid"], "a/b|ä");
    assert_eq!(
        answer["api_endpoint"],
        "https://plain.test/plain-1/a%2Fb%7C%C3%A4"
    );
    assert_eq!(
        (&answer["duration"], &answer["node_type"]),
        (&json!(60), &Value::Null)
    );

    let token = text(&answer, "id");
    let claims = tokenlib::parse(token, TOKEN_SECRET.as_bytes(), now_s()).unwrap();
    let claims = Value::Object(claims);
    assert_eq!(
        names(&claims),
        ["expires", "issuer", "node", "salt", "uid"].into()
    );
    assert_eq!(claims["uid"], "a/b|ä");
    assert_eq!(claims["issuer"], stage.issuer.url());
    assert_eq!(claims["node"], "https://plain.test/{service}/{uid}");
    let expires = claims["expires"].as_u64().unwrap();
    assert!((before + 60..=now_s() + 60).contains(&expires), "{claims}");
    let salt = text(&claims, "salt");
    let key = tokenlib::derived_key(TOKEN_SECRET.as_bytes(), token, salt);
    assert_eq!(answer["key"], key);

    let again = stage.log_in("/1.0/plain/1", "a/b|ä", None).await;
    assert_eq!(
        (&again["uid"], &again["hashed_fxa_uid"]),
        (&answer["uid"], &answer["hashed_fxa_uid"])
    );
    assert_ne!(again["id"], answer["id"]);
}

#[tokio::test]
async fn a_jwt_for_a_service_with_nodes_names_the_node_and_the_users_number() {
    let stage = Stage::set().await;
    let answer = stage.log_in("/1.0/spread/2", "someone", Some(KEY.0)).await;
    let uid = answer["uid"].as_u64().unwrap();
    assert_eq!(
        answer["api_endpoint"],
        format!("https://spread1.test/2/{uid}")
    );
    let token = text(&answer, "id");
    let first = claims(token);
    assert_eq!(
        names(&first),
        [
            "aud",
            "exp",
            "hashed_device_id",
            "hashed_fxa_uid",
            "iat",
            "idp",
            "iss",
            "jti",
            "key_id",
            "node",
            "salt",
            "sub",
            "uid",
        ]
        .into()
    );
    assert_eq!(first["uid"], uid);
    assert_eq!(first["node"], "https://spread1.test");
    assert_eq!(first["aud"], "spread-2");
    assert_eq!(first["iss"], "https://token.example.test");
    assert_eq!(first["sub"], "someone@idp.example.test");
    assert_eq!(first["hashed_fxa_uid"], answer["hashed_fxa_uid"]);
    let key = tokenlib::derived_key(SECRET.as_bytes(), token, text(&first, "salt"));
    assert_eq!(answer["key"], key);

    let other = stage.log_in("/1.0/spread/2", "someone-else", None).await;
    assert_ne!(other["uid"], uid);
    assert_eq!(claims(text(&other, "id"))["node"], "https://spread1.test");
}

#[tokio::test]
async fn a_jwt_says_which_key_the_client_has_if_it_has_told() {
    let stage = Stage::set().await;
    for path in ["/1.0/spread/2", "/1.0/one/3"] {
        let with = stage.log_in(path, "with", Some(KEY.0)).await;
        assert_eq!(claims(text(&with, "id"))["key_id"], KEY.1, "{path}");
        let without = stage.log_in(path, "without", None).await;
        let claims = claims(text(&without, "id"));
        assert!(!names(&claims).contains("key_id"), "{path}: {claims}");
        assert_eq!(names(&claims).contains("node"), path == "/1.0/spread/2");
    }
}
