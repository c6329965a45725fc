//! Access tokens and security events of other issuers, judged as their vectors say.

use crypto_jobs::{Jwk, JwsAlgorithm, JwtConditions, JwtRejection, VerifyJwtRequest};
use serde::Deserialize;
use serde_json::Value;

use crate::{vectors, verify_jwt};

/// Long after every token's `iat`, long before the `exp` of those that are good.
const NOW_S: u64 = 1_800_000_000;

#[derive(Deserialize)]
struct Vectors {
    scope: String,
    jwks: Jwks,
    uid: String,
    cases: Vec<Case>,
    webhook: Webhook,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    token: String,
    expect: String,
}

#[derive(Deserialize)]
struct Webhook {
    client_id: String,
    issuer: String,
    tokens: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    token: String,
    expect_http: u16,
}

impl Vectors {
    fn load() -> Self {
        vectors::load("oauth_jwt.json")
    }

    fn request(&self, token: &str, conditions: JwtConditions) -> VerifyJwtRequest {
        VerifyJwtRequest {
            token: token.to_owned(),
            keys: self.jwks.keys.iter().filter_map(Jwk::from_json).collect(),
            now_s: NOW_S,
            conditions,
        }
    }

    fn access_token(&self, token: &str) -> VerifyJwtRequest {
        self.request(token, access_tokens())
    }
}

/// What Mozilla's access tokens must meet.
fn access_tokens() -> JwtConditions {
    JwtConditions {
        algorithms: vec![JwsAlgorithm::Rs256],
        types: vec!["at+jwt".to_owned()],
        issuer: None,
        audiences: Vec::new(),
        must_expire: true,
        leeway_s: 0,
    }
}

#[test]
fn access_tokens_get_their_verdicts() {
    let vectors = Vectors::load();
    assert_eq!(vectors.cases.len(), 16);
    for case in &vectors.cases {
        let reply = verify_jwt(&vectors.access_token(&case.token));
        let good = reply.as_ref().is_ok_and(|verified| {
            let scope = verified.claims["scope"].as_str().unwrap();
            verified.claims["sub"] == vectors.uid.as_str()
                && scope.split(' ').any(|word| word == vectors.scope)
        });
        assert_eq!(good, case.expect != "reject", "{}: {reply:?}", case.id);
    }
}

#[test]
fn refusals_name_their_reason() {
    let vectors = Vectors::load();
    for (id, reason) in [
        ("bad-expired", JwtRejection::Expired),
        ("bad-signature", JwtRejection::BadSignature),
        ("bad-other-key", JwtRejection::BadSignature),
        ("bad-typ-jwt", JwtRejection::WrongType),
        ("bad-typ-missing", JwtRejection::WrongType),
        ("bad-alg-none", JwtRejection::UnsupportedAlgorithm),
        (
            "bad-hs256-with-public-pem",
            JwtRejection::UnsupportedAlgorithm,
        ),
    ] {
        let case = vectors.cases.iter().find(|case| case.id == id).unwrap();
        let reply = verify_jwt(&vectors.access_token(&case.token));
        assert_eq!(reply, Err(reason), "{id}");
    }
    let good = &vectors.cases[0].token;
    let mut request = vectors.access_token(good);
    request.keys.clear();
    assert_eq!(verify_jwt(&request), Err(JwtRejection::NoKey));
    let mut request = vectors.access_token(good);
    request.conditions.algorithms = vec![JwsAlgorithm::Es256];
    assert_eq!(
        verify_jwt(&request),
        Err(JwtRejection::UnsupportedAlgorithm)
    );
    for junk in [
        "",
        "JUNK",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "....",
        &"a".repeat(20_000),
    ] {
        let reply = verify_jwt(&vectors.access_token(junk));
        assert_eq!(reply, Err(JwtRejection::Malformed), "{junk}");
    }
}

#[test]
fn times_are_the_callers() {
    let vectors = Vectors::load();
    let expires = 4_102_444_800;
    let mut request = vectors.access_token(&vectors.cases[0].token);
    request.now_s = expires - 1;
    assert!(verify_jwt(&request).is_ok());
    request.now_s = expires;
    assert_eq!(verify_jwt(&request), Err(JwtRejection::Expired));
    request.conditions.leeway_s = 1;
    assert!(verify_jwt(&request).is_ok());
}

#[test]
fn security_events_get_their_verdicts() {
    let vectors = Vectors::load();
    assert_eq!(vectors.webhook.tokens.len(), 8);
    for event in &vectors.webhook.tokens {
        let reply = verify_jwt(&vectors.request(
            &event.token,
            JwtConditions {
                types: vec!["secevent+jwt".to_owned()],
                issuer: Some(vectors.webhook.issuer.clone()),
                audiences: vec![vectors.webhook.client_id.clone()],
                must_expire: false,
                ..access_tokens()
            },
        ));
        assert_eq!(
            reply.is_ok(),
            event.expect_http == 200,
            "{}: {reply:?}",
            event.id
        );
        let reason = match event.id.as_str() {
            "set-wrong-aud" => JwtRejection::WrongAudience,
            "set-wrong-iss" => JwtRejection::WrongIssuer,
            "set-wrong-key" => JwtRejection::BadSignature,
            _ => continue,
        };
        assert_eq!(reply, Err(reason), "{}", event.id);
    }
}
