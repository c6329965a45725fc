use crypto_jobs::{
    IssueRefusal, IssueRequest, IssuedToken, Metrics, Payload, Secret, SyncClaims, TokenFormat,
    TokenSecret,
};
use serde::Deserialize;
use serde_json::Value;
use workers::crypto::{
    hkdf,
    tokenlib::{MAX_TOKEN_BYTES, TokenError, make, parse},
};

use crate::{issue, vectors::load};

#[derive(Deserialize)]
struct Vectors {
    tokens: Vec<Token>,
    invalid: Vec<Invalid>,
    hkdf: Vec<Derivation>,
}

#[derive(Deserialize)]
struct Token {
    id: String,
    master_secret: String,
    payload_utf8: String,
    payload_json: Value,
    token: String,
    derived_secret: String,
}

#[derive(Deserialize)]
struct Invalid {
    id: String,
    token: String,
    master_secret: String,
    error: Option<String>,
    now: Option<u64>,
}

#[derive(Deserialize)]
struct Derivation {
    ikm: String,
    salt: Option<String>,
    info: String,
    #[serde(rename = "L")]
    length: usize,
    okm: String,
}

fn vectors() -> Vectors {
    load("tokenlib.json")
}

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

fn tokenlib(secret: &str, payload: Payload, metrics: Option<Metrics>) -> IssueRequest {
    let secret = TokenSecret::Fixed(Secret::from(secret));
    IssueRequest {
        format: TokenFormat::Tokenlib { secret, payload },
        metrics,
    }
}

#[test]
fn the_same_payload_makes_the_same_token_and_key() {
    let vectors = vectors();
    assert_eq!(vectors.tokens.len(), 20);
    for vector in vectors.tokens {
        let payload = Payload::Json(vector.payload_utf8);
        let issued = issue(&tokenlib(&vector.master_secret, payload, None)).unwrap();
        assert_eq!(issued.token, vector.token, "{}", vector.id);
        assert_eq!(issued.key, Some(vector.derived_secret), "{}", vector.id);
        let read = parse(&issued.token, vector.master_secret.as_bytes(), 0).unwrap();
        assert_eq!(Value::Object(read), vector.payload_json, "{}", vector.id);
    }
}

#[test]
fn bad_tokens_are_refused_for_tokenlibs_reasons() {
    let vectors = vectors();
    assert_eq!(vectors.invalid.len(), 7);
    for vector in vectors.invalid {
        let expected = vector.error.as_deref().map(|error| match error {
            "MalformedTokenError" => TokenError::Malformed,
            "InvalidSignatureError" => TokenError::InvalidSignature,
            "ExpiredTokenError" => TokenError::Expired,
            other => panic!("{}: unknown error {other}", vector.id),
        });
        let result = parse(
            &vector.token,
            vector.master_secret.as_bytes(),
            vector.now.unwrap_or(0),
        );
        assert_eq!(result.err(), expected, "{}", vector.id);
    }
}

#[test]
fn derivations_are_rfc_5869s() {
    let vectors = vectors();
    assert_eq!(vectors.hkdf.len(), 6);
    for vector in vectors.hkdf {
        let salt = vector.salt.as_deref().map(bytes);
        let output = hkdf::derive(
            &bytes(&vector.ikm),
            salt.as_deref(),
            &[&bytes(&vector.info)],
            vector.length,
        );
        assert_eq!(output.unwrap().as_slice(), bytes(&vector.okm));
    }
    assert!(hkdf::derive(b"x", None, &[], hkdf::MAX_BYTES).is_some());
    assert!(hkdf::derive(b"x", None, &[], hkdf::MAX_BYTES + 1).is_none());
}

fn sync_claims() -> SyncClaims {
    SyncClaims {
        uid: u64::MAX,
        node: "https://node.example.test".into(),
        expires: 1_900_000_000,
        fxa_uid: "1e3a9a2a722efe11d18ff0fa7867f2b3".into(),
        fxa_kid: "0000000001234-qqo".into(),
        tokenserver_origin: None,
        salt: "a1b2c3".into(),
    }
}

fn payload_text(issued: &IssuedToken, secret: &str) -> String {
    let claims = parse(&issued.token, secret.as_bytes(), 0).unwrap();
    assert_eq!(claims["expires"], 1_900_000_000);
    use base64::{Engine, engine::general_purpose::URL_SAFE};
    let mut bytes = URL_SAFE.decode(&issued.token).unwrap();
    bytes.truncate(bytes.len() - 32);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_sync_token_holds_the_hashes_in_the_order_storage_nodes_know() {
    let metrics = Metrics {
        secret: Secret::from("super-sekrit"),
        fxa_uid: "1e3a9a2a722efe11d18ff0fa7867f2b3".into(),
        device_id: Some("a36d0dc24591ceed9617f1c134feb20b".into()),
    };
    let issued = issue(&tokenlib("s", Payload::Sync(sync_claims()), Some(metrics))).unwrap();
    assert_eq!(
        payload_text(&issued, "s"),
        concat!(
            r#"{"uid":18446744073709551615,"node":"https://node.example.test","#,
            r#""expires":1900000000,"fxa_uid":"1e3a9a2a722efe11d18ff0fa7867f2b3","#,
            r#""fxa_kid":"0000000001234-qqo","#,
            r#""hashed_fxa_uid":"ab38541e729e2adc93e6def33180ff49","#,
            r#""hashed_device_id":"db60194c1b5c2dab28c20ee5547d286f","salt":"a1b2c3"}"#
        )
    );
    assert_eq!(
        issued.hashed_fxa_uid.as_deref(),
        Some("ab38541e729e2adc93e6def33180ff49")
    );
    assert_eq!(
        issued.hashed_device_id.as_deref(),
        Some("db60194c1b5c2dab28c20ee5547d286f")
    );
}

#[test]
fn a_sync_token_without_metrics_has_no_hashes() {
    let claims = SyncClaims {
        tokenserver_origin: Some("rust".into()),
        ..sync_claims()
    };
    let issued = issue(&tokenlib("s", Payload::Sync(claims), None)).unwrap();
    let text = payload_text(&issued, "s");
    assert!(!text.contains("hashed"), "{text}");
    assert!(
        text.ends_with(r#""tokenserver_origin":"rust","salt":"a1b2c3"}"#),
        "{text}"
    );
    assert_eq!(issued.hashed_fxa_uid, None);
}

#[test]
fn a_payload_that_is_no_object_with_a_salt_is_refused() {
    for text in [
        "",
        "[]",
        "null",
        "{}",
        r#"{"salt": 5}"#,
        r#"{"salt": "a"} x"#,
        r#"{"salt": "a""#,
    ] {
        let refusal = issue(&tokenlib("s", Payload::Json(text.into()), None)).unwrap_err();
        assert_eq!(refusal, IssueRefusal::InvalidPayload, "{text}");
    }
}

#[test]
fn every_changed_byte_of_a_token_is_noticed() {
    let token = make(b"secret", r#"{"expires": 1900000000, "salt": "a1b2c3"}"#);
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(parse(&changed, b"secret", 0).is_err(), "byte {at}");
        assert!(parse(&token[..at], b"secret", 0).is_err(), "{at} bytes");
    }
}

#[test]
fn signed_payloads_without_a_time_and_endless_tokens_are_malformed() {
    for payload in ["[]", "{}", r#"{"expires": "1900000000"}"#, "junk"] {
        assert_eq!(
            parse(&make(b"s", payload), b"s", 0),
            Err(TokenError::Malformed),
            "{payload}"
        );
    }
    let long = "A".repeat(MAX_TOKEN_BYTES + 4);
    assert_eq!(parse(&long, b"s", 0), Err(TokenError::Malformed));
}
