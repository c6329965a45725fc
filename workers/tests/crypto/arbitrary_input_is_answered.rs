use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto_jobs::{
    BROWSERID_VERIFY, IssuerFinding, MAX_ASSERTION_BYTES, MAX_MESSAGE_BYTES, PublicKey, Rejection,
    SignatureAlgorithm, TOKEN_ISSUE, VerifyRequest, encode, peek,
};
use proptest::{collection::vec, prelude::*};
use serde_json::json;
use workers::crypto::{HandleError, handle, tokenlib};

use crate::{
    signer::{Signer, assertion_payload, certificate_payload, request},
    vectors::Assertions,
    verify,
};

const AUDIENCE: &str = "https://token.example.test";
const NOW_MS: u64 = 1_800_000_000_000;

fn good_request() -> VerifyRequest {
    let vectors = Assertions::load();
    let key = vectors.keys["issuer"]["RS256"].clone();
    VerifyRequest {
        assertion: vectors.case("valid-rs256-ds128-fxa").assertion.clone(),
        audience: AUDIENCE.into(),
        now_ms: NOW_MS,
        algorithms: SignatureAlgorithm::ALL.into(),
        issuer: IssuerFinding::Known {
            keys: vec![serde_json::from_value(key).unwrap()],
        },
    }
}

proptest! {
    #[test]
    fn any_bytes_as_a_request(body in vec(any::<u8>(), 0..2_000)) {
        // Getting here again is the point: neither a panic nor an endless loop.
        let _ = handle(BROWSERID_VERIFY, &body);
        let _ = handle(TOKEN_ISSUE, &body);
    }

    #[test]
    fn a_request_with_some_bytes_changed(changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut body = encode(&good_request());
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let _ = handle(BROWSERID_VERIFY, &body);
    }

    #[test]
    fn any_text_as_an_assertion(text in "\\PC{0,300}|[A-Za-z0-9_.~-]{0,300}") {
        let mut request = good_request();
        request.assertion = text;
        prop_assert!(verify(&request).is_err());
    }

    #[test]
    fn an_assertion_with_one_character_changed(at in any::<prop::sample::Index>(), by in "[A-Za-z0-9_.~-]") {
        let mut request = good_request();
        let at = at.index(request.assertion.len());
        prop_assume!(request.assertion[at..=at] != by);
        request.assertion.replace_range(at..=at, &by);
        prop_assert!(verify(&request).is_err());
    }

    #[test]
    fn any_numbers_as_a_key(n in "[0-9]{0,700}", e in "[0-9]{0,12}", hex in vec("[0-9a-f]{0,600}", 4)) {
        let [y, p, q, g] = <[String; 4]>::try_from(hex).unwrap();
        let mut request = good_request();
        request.issuer = IssuerFinding::Known {
            keys: vec![PublicKey::Rsa { n, e }, PublicKey::Dsa { y, p, q, g }],
        };
        prop_assert!(verify(&request).is_err());
    }

    #[test]
    fn any_text_as_a_token(text in "\\PC{0,200}|[A-Za-z0-9_=-]{0,200}") {
        prop_assert!(tokenlib::parse(&text, b"secret", 0).is_err());
    }
}

#[test]
fn sizes_and_depths_are_bounded() {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
    let deep = URL_SAFE_NO_PAD.encode("[".repeat(6_000));
    for text in [
        "~".repeat(MAX_ASSERTION_BYTES),
        "A".repeat(1 << 20),
        format!("{deep}.{deep}.AAAA~{header}.{header}.AAAA"),
        format!("{header}.{deep}.AAAA~{header}.{header}.AAAA"),
    ] {
        assert_eq!(peek(&text, [AUDIENCE], NOW_MS), Err(Rejection::Malformed));
    }
    let too_large = vec![0; MAX_MESSAGE_BYTES + 1];
    assert!(matches!(
        handle(TOKEN_ISSUE, &too_large),
        Err(HandleError::Request(_))
    ));
    // A chain of arrays, each holding the next: the shortest way to recurse deeply.
    let nested = vec![0x91; MAX_MESSAGE_BYTES];
    assert!(matches!(
        handle(TOKEN_ISSUE, &nested),
        Err(HandleError::Request(_))
    ));
}

#[test]
fn claims_nest_as_deep_as_json_may() {
    let vectors = Assertions::load();
    let issuer = Signer::new(&vectors, "issuer", "RS256");
    let user = Signer::new(&vectors, "user", "RS256");
    let judge = |depth: usize| {
        let mut payload = certificate_payload(&user.public);
        payload["nested"] = (1..depth).fold(json!([]), |inner, _| json!([inner]));
        let certificate = issuer.jws(&payload);
        let assertion = user.jws(&assertion_payload());
        verify(&request(&certificate, &assertion, &issuer.public))
    };
    // The claims' own object is a level too.
    assert!(judge(126).unwrap().idp_claims["nested"].is_array());
    assert_eq!(judge(128), Err(Rejection::Malformed));
}

#[test]
fn services_are_told_apart() {
    let body = encode(&good_request());
    assert!(handle(BROWSERID_VERIFY, &body).is_ok());
    assert!(matches!(
        handle(TOKEN_ISSUE, &body),
        Err(HandleError::Request(_))
    ));
    assert!(matches!(
        handle("", &body),
        Err(HandleError::UnknownService)
    ));
}
