//! What one side encodes the other side reads, and nothing else is read.

use crypto_jobs::{
    DecodeError, IssueRefusal, IssueReply, IssueRequest, IssuerFinding, MAX_MESSAGE_BYTES, Metrics,
    Payload, PublicKey, Rejection, Secret, SignatureAlgorithm, SyncClaims, TokenFormat,
    TokenSecret, VerifiedAssertion, VerifyReply, VerifyRequest, decode, encode,
};
use serde_json::json;

fn verify_request() -> VerifyRequest {
    VerifyRequest {
        assertion: "certificate~assertion".into(),
        audience: "https://token.example.test".into(),
        now_ms: 1_800_000_000_000,
        algorithms: SignatureAlgorithm::DEFAULT.into(),
        issuer: IssuerFinding::Known {
            keys: vec![PublicKey::Rsa {
                n: "3233".into(),
                e: "17".into(),
            }],
        },
    }
}

fn issue_request() -> IssueRequest {
    IssueRequest {
        format: TokenFormat::Tokenlib {
            secret: TokenSecret::Fixed(Secret::from("correct horse")),
            payload: Payload::Sync(SyncClaims {
                uid: 7,
                node: "https://node.example.test".into(),
                expires: 1_900_000_000,
                fxa_uid: "aa".into(),
                fxa_kid: "0000000001234-qqo".into(),
                tokenserver_origin: None,
                salt: "a1b2c3".into(),
            }),
        },
        metrics: Some(Metrics {
            secret: Secret::from("battery staple"),
            fxa_uid: "aa".into(),
            device_id: None,
        }),
    }
}

#[test]
fn a_verify_request_survives() {
    let request = verify_request();
    let read: VerifyRequest = decode(&encode(&request)).unwrap();
    assert_eq!(read.assertion, request.assertion);
    assert_eq!(read.algorithms, request.algorithms);
    assert!(matches!(read.issuer, IssuerFinding::Known { keys } if keys.len() == 1));
}

#[test]
fn every_kind_of_claim_survives() {
    let claims = json!({
        "whole": 1_480_000_000_123_u64, "negative": -3, "fraction": 1.5, "text": "\u{fc}\u{0}",
        "none": null, "flag": false, "list": [1, "two", [3]], "object": {"inner": {}}
    });
    let reply: VerifyReply = Ok(VerifiedAssertion {
        email: "a@example.test".into(),
        issuer: "example.test".into(),
        audience: "https://token.example.test".into(),
        idp_claims: claims.as_object().unwrap().clone(),
        user_claims: serde_json::Map::new(),
        expires_ms: u64::MAX,
    });
    assert_eq!(decode::<VerifyReply>(&encode(&reply)).unwrap(), reply);
}

#[test]
fn refusals_survive() {
    let reply: VerifyReply = Err(Rejection::UntrustedIssuer);
    assert_eq!(decode::<VerifyReply>(&encode(&reply)).unwrap(), reply);
    let reply: IssueReply = Err(IssueRefusal::InvalidKey);
    let read = decode::<IssueReply>(&encode(&reply)).unwrap();
    assert!(matches!(read, Err(IssueRefusal::InvalidKey)));
}

#[test]
fn secrets_arrive_and_are_never_printed() {
    let request = issue_request();
    let read: IssueRequest = decode(&encode(&request)).unwrap();
    let TokenFormat::Tokenlib {
        secret: TokenSecret::Fixed(secret),
        ..
    } = &read.format
    else {
        panic!("another format");
    };
    assert_eq!(secret.expose(), b"correct horse");
    let printed = format!("{read:?}");
    assert!(printed.contains("[redacted]"));
    assert!(
        !printed.contains("horse") && !printed.contains("staple"),
        "{printed}"
    );
}

#[test]
fn members_are_named_on_the_wire() {
    let bytes = encode(&verify_request());
    let text = String::from_utf8_lossy(&bytes);
    for name in [
        "assertion",
        "audience",
        "now_ms",
        "RS256",
        "known",
        "keys",
        "algorithm",
    ] {
        assert!(text.contains(name), "{name}");
    }
}

#[test]
fn what_is_too_large_or_cut_or_followed_by_more_is_refused() {
    let whole = encode(&verify_request());
    for length in 0..whole.len() {
        assert!(
            decode::<VerifyRequest>(&whole[..length]).is_err(),
            "{length} bytes were enough"
        );
    }
    let mut longer = whole.clone();
    longer.push(0xc0);
    assert!(matches!(
        decode::<VerifyRequest>(&longer),
        Err(DecodeError::TrailingBytes(1))
    ));
    longer.resize(MAX_MESSAGE_BYTES + 1, 0);
    assert!(matches!(
        decode::<VerifyRequest>(&longer),
        Err(DecodeError::TooLarge(_))
    ));
}

#[test]
fn one_service_does_not_read_the_others_requests() {
    assert!(decode::<IssueRequest>(&encode(&verify_request())).is_err());
    assert!(decode::<VerifyRequest>(&encode(&issue_request())).is_err());
}

#[test]
fn codes_are_the_names_on_the_wire() {
    let rejections = [
        Rejection::Malformed,
        Rejection::AudienceMismatch,
        Rejection::UnsupportedChain,
        Rejection::Expired,
        Rejection::NotYetValid,
        Rejection::InvalidEmail,
        Rejection::UntrustedIssuer,
        Rejection::UnusableIssuer,
        Rejection::IssuerUnavailable,
        Rejection::UnsupportedAlgorithm,
        Rejection::BadSignature,
    ];
    for rejection in rejections {
        assert_eq!(json!(rejection), rejection.code());
    }
    for refusal in [IssueRefusal::InvalidPayload, IssueRefusal::InvalidKey] {
        assert_eq!(json!(refusal), refusal.code());
    }
}
