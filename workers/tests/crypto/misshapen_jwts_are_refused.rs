//! The attacks on the form of a JWS that Project Wycheproof's vectors are about. Whatever is refused here
//! carries a good signature of just the text that it has, unless nothing else can be wrong.

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto_jobs::{JwsAlgorithm, JwtRejection};
use serde_json::json;

use crate::issuer::{CLAIMS, Issuer, assert_accepted, assert_refused, base64url};

/// Adds spaces, which mean nothing in JSON, until the last character of its base64url has bits to spare.
fn with_bits_to_spare(json: &str) -> String {
    let mut json = json.to_owned();
    while json.len() % 3 != 1 {
        json.push(' ');
    }
    json
}

/// Another spelling of the same bytes: one of the last bits, which are nobody's, is set.
fn respelt(segment: &str) -> String {
    let mut characters = segment.to_owned().into_bytes();
    let last = characters.last_mut().unwrap();
    // It is A, Q, g or w, and the next one in the alphabet is next in ASCII, too.
    *last += 1;
    String::from_utf8(characters).unwrap()
}

#[test]
fn bytes_have_one_spelling() {
    let issuer = Issuer::new(JwsAlgorithm::EdDsa);
    let header = base64url(with_bits_to_spare(&issuer.header()));
    let claims = base64url(with_bits_to_spare(CLAIMS));
    let good = issuer.jws(&header, &claims);
    assert_accepted(&good, &issuer.key);
    let refused = |token: &str| assert_refused(token, &issuer.key, JwtRejection::Malformed);
    let (_, signature) = good.rsplit_once('.').unwrap();
    let misspelt = |segment: &str| {
        [
            respelt(segment),
            format!("{segment}=="),
            format!("{segment}="),
            format!("{segment}\n"),
            format!(" {segment}"),
            format!("{}\r\n{}", &segment[..4], &segment[4..]),
            format!("{}!{}", &segment[..4], &segment[4..]),
            format!("{segment}\0"),
            // One character more than any bytes have.
            format!("{}A", &segment[..segment.len() / 4 * 4]),
        ]
    };
    for header in misspelt(&header) {
        refused(&issuer.jws(&header, &claims));
    }
    for claims in misspelt(&claims) {
        refused(&issuer.jws(&header, &claims));
    }
    for signature in misspelt(signature) {
        refused(&format!("{header}.{claims}.{signature}"));
    }
    // The alphabet of plain base64 has two characters of its own.
    let claims = r#"{"sub":"~~~???","exp":4102444800}"#;
    assert_ne!(STANDARD.encode(claims), base64url(claims));
    refused(&issuer.jws(&header, STANDARD.encode(claims).trim_end_matches('=')));
}

#[test]
fn a_token_has_three_segments() {
    let issuer = Issuer::new(JwsAlgorithm::EdDsa);
    let good = issuer.good_token();
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("{good}");
    };
    let flattened = json!({ "protected": header, "payload": claims, "signature": signature });
    let general = json!({
        "payload": claims,
        "signatures": [{ "protected": header, "signature": signature }],
    });
    for token in [
        format!("{header}.{claims}"),
        format!("{header}{claims}{signature}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!("{good}.{header}.{claims}"),
        format!("{header}..{claims}.{signature}"),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        "..".to_owned(),
        format!("Bearer {good}"),
        format!("{good},{good}"),
        flattened.to_string(),
        general.to_string(),
        issuer.jws("", &base64url(CLAIMS)),
        issuer.jws(header, ""),
    ] {
        assert_refused(&token, &issuer.key, JwtRejection::Malformed);
    }
}

#[test]
fn headers_and_claims_are_json_objects_and_nothing_beside() {
    let issuer = Issuer::new(JwsAlgorithm::EdDsa);
    let header = issuer.header();
    let around = |json: &str| {
        [
            format!("[{json}]"),
            format!("{json}{json}"),
            format!("{json}x"),
            format!("{json}\0"),
            format!("\u{feff}{json}"),
            json.replace('}', ",}"),
            json.replace('"', "'"),
            json.replace('}', "/**/}"),
            json[..json.len() - 1].to_owned(),
            json!(json).to_string(),
            "null".to_owned(),
            "7".to_owned(),
            String::new(),
        ]
    };
    for header in around(&header) {
        assert_refused(&issuer.token(&header), &issuer.key, JwtRejection::Malformed);
    }
    let header = base64url(header);
    for claims in around(CLAIMS) {
        let token = issuer.jws(&header, &base64url(claims));
        assert_refused(&token, &issuer.key, JwtRejection::Malformed);
    }
    let latin1 = b"{\"sub\":\"some\xf6ne\",\"exp\":4102444800}";
    let token = issuer.jws(&header, &base64url(latin1));
    assert_refused(&token, &issuer.key, JwtRejection::Malformed);
}

#[test]
fn extensions_that_must_be_understood_are_not() {
    let issuer = Issuer::new(JwsAlgorithm::EdDsa);
    for crit in [
        json!(["exp"]),
        json!(["b64"]),
        json!(["alg"]),
        json!(["http://example.test/extension"]),
        json!([]),
        json!("exp"),
        json!(null),
    ] {
        let header = json!({ "alg": "EdDSA", "crit": crit, "exp": 1, "b64": true }).to_string();
        assert_refused(&issuer.token(&header), &issuer.key, JwtRejection::Malformed);
    }
    // RFC 7797: the payload as it is.
    for header in [
        r#"{"alg":"EdDSA","b64":false,"crit":["b64"]}"#,
        r#"{"alg":"EdDSA","b64":false}"#,
    ] {
        let token = issuer.jws(&base64url(header), CLAIMS);
        assert_refused(&token, &issuer.key, JwtRejection::Malformed);
    }
}

#[test]
fn of_a_member_that_occurs_twice_the_last_one_counts() {
    let issuer = Issuer::new(JwsAlgorithm::EdDsa);
    let first_good = issuer.token(r#"{"alg":"EdDSA","alg":"none"}"#);
    assert_refused(&first_good, &issuer.key, JwtRejection::UnsupportedAlgorithm);
    assert_accepted(
        &issuer.token(r#"{"alg":"none","alg":"EdDSA"}"#),
        &issuer.key,
    );
    let escaped = issuer.token(r#"{"alg":"EdDSA","\u0061lg":"none"}"#);
    assert_refused(&escaped, &issuer.key, JwtRejection::UnsupportedAlgorithm);
    let expired = r#"{"sub":"someone","exp":4102444800,"exp":1}"#;
    let token = issuer.jws(&base64url(issuer.header()), &base64url(expired));
    assert_refused(&token, &issuer.key, JwtRejection::Expired);
    let crit = issuer.token(r#"{"alg":"EdDSA","crit":["exp"],"crit":null}"#);
    assert_refused(&crit, &issuer.key, JwtRejection::Malformed);
}

#[test]
fn a_token_brings_no_keys_along() {
    for algorithm in [JwsAlgorithm::Es256, JwsAlgorithm::EdDsa] {
        let (trusted, forger) = (Issuer::new(algorithm), Issuer::new(algorithm));
        let mut jwk = forger.key.clone();
        jwk["kid"] = "forged".into();
        let header = json!({
            "alg": algorithm,
            "kid": "forged",
            "jwk": jwk,
            "jku": "https://forger.test/jwks.json",
            "x5u": "https://forger.test/chain.pem",
            "x5c": ["MIIB"],
            "x5t": "AAAA",
        })
        .to_string();
        assert_refused(
            &forger.token(&header),
            &trusted.key,
            JwtRejection::BadSignature,
        );
        // None of this keeps the issuer's own key from being used.
        assert_accepted(&trusted.token(&header), &trusted.key);
    }
}

#[test]
fn names_of_keys_and_types_are_texts() {
    let issuer = Issuer::new(JwsAlgorithm::EdDsa);
    for member in ["kid", "typ"] {
        for value in [json!(null), json!(7), json!(["a"]), json!({ "a": 1 })] {
            let header = json!({ "alg": "EdDSA", member: value }).to_string();
            assert_refused(&issuer.token(&header), &issuer.key, JwtRejection::Malformed);
        }
    }
}
