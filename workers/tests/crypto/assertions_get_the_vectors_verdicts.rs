use crypto_jobs::{
    IssuerFinding, PublicKey, Rejection, RejectionClass, SignatureAlgorithm, VerifyReply,
    VerifyRequest, peek,
};
use serde::Deserialize;

use crate::{
    vectors::{Assertions, Case, NOW_MS, load},
    verify,
};

fn judge(vectors: &Assertions, case: &Case) -> VerifyReply {
    let verified = verify(&vectors.request(case)?)?;
    // The web tier's rule, which it applies to what the worker verified.
    match &case.allowed_issuers {
        Some(allowed) if !allowed.contains(&verified.issuer) => Err(Rejection::UntrustedIssuer),
        _ => Ok(verified),
    }
}

#[test]
fn good_assertions_say_what_the_peers_read() {
    let vectors = Assertions::load();
    let mut accepted = 0;
    for case in vectors.accepted() {
        let verified = judge(&vectors, case).unwrap_or_else(|e| panic!("{}: {e}", case.id));
        case.assert_read(&verified);
        accepted += 1;
    }
    assert_eq!(accepted, 46);
}

#[test]
fn bad_assertions_are_refused_for_the_right_class_of_reason() {
    let vectors = Assertions::load();
    let mut refused = 0;
    for case in vectors.cases.iter().filter(|case| case.expect == "reject") {
        let Err(rejection) = judge(&vectors, case) else {
            panic!("{} was accepted", case.id);
        };
        let status = case
            .expect_http
            .as_ref()
            .and_then(|http| http.status_string.as_deref());
        let expected = match status {
            Some("invalid-timestamp") => RejectionClass::Timestamp,
            Some("invalid-credentials") => RejectionClass::Credentials,
            other => panic!("{}: unknown status {other:?}", case.id),
        };
        assert_eq!(rejection.class(), expected, "{}: {rejection}", case.id);
        refused += 1;
    }
    assert_eq!(refused, 68);
}

#[test]
fn what_the_peers_disagree_about_is_refused() {
    let vectors = Assertions::load();
    let disputed: Vec<_> = vectors
        .cases
        .iter()
        .filter(|case| case.expect == "either")
        .collect();
    assert_eq!(disputed.len(), 7);
    for case in disputed {
        assert!(judge(&vectors, case).is_err(), "{}", case.id);
    }
}

#[test]
fn the_reason_is_the_first_check_that_fails() {
    let vectors = Assertions::load();
    for (id, rejection) in [
        ("bad-junk", Rejection::Malformed),
        ("bad-no-cert-tilde", Rejection::Malformed),
        ("bad-trailing-tilde", Rejection::Malformed),
        ("bad-missing-exp-cert", Rejection::Malformed),
        ("bad-wrong-audience", Rejection::AudienceMismatch),
        ("bad-chain-of-two", Rejection::UnsupportedChain),
        ("bad-expired-assertion", Rejection::Expired),
        ("bad-expired-cert", Rejection::Expired),
        ("edge-iat-future-cert", Rejection::NotYetValid),
        ("bad-email-two-ats", Rejection::InvalidEmail),
        ("bad-untrusted-issuer", Rejection::UntrustedIssuer),
        ("bad-delegation-loop", Rejection::UntrustedIssuer),
        ("bad-issuer-doc-nokey", Rejection::UnusableIssuer),
        ("bad-alg-none", Rejection::UnsupportedAlgorithm),
        ("bad-alg-header-size", Rejection::UnsupportedAlgorithm),
        ("bad-cert-sig-flip", Rejection::BadSignature),
        ("bad-assertion-sig-empty", Rejection::BadSignature),
    ] {
        assert_eq!(judge(&vectors, vectors.case(id)), Err(rejection), "{id}");
    }
}

#[test]
fn an_expired_assertion_is_told_before_anything_about_its_issuer() {
    let vectors = Assertions::load();
    let mut request = vectors
        .request(vectors.case("valid-rs256-ds128-fxa"))
        .unwrap();
    request.issuer = IssuerFinding::Untrusted;
    assert_eq!(verify(&request), Err(Rejection::UntrustedIssuer));
    request.issuer = IssuerFinding::Unavailable;
    assert_eq!(verify(&request), Err(Rejection::IssuerUnavailable));
    request.now_ms = u64::MAX;
    assert_eq!(verify(&request), Err(Rejection::Expired));
    request.audience = "https://elsewhere.example.test".into();
    assert_eq!(verify(&request), Err(Rejection::AudienceMismatch));
}

#[test]
fn the_last_millisecond_still_counts() {
    let vectors = Assertions::load();
    let mut request = vectors
        .request(vectors.case("valid-rs256-ds128-fxa"))
        .unwrap();
    request.now_ms = verify(&request).unwrap().expires_ms;
    assert!(verify(&request).is_ok());
    request.now_ms += 1;
    assert_eq!(verify(&request), Err(Rejection::Expired));
}

#[test]
fn algorithms_off_the_list_are_refused_wherever_they_stand() {
    let vectors = Assertions::load();
    let default = SignatureAlgorithm::DEFAULT;
    for issuer in SignatureAlgorithm::ALL {
        for user in SignatureAlgorithm::ALL {
            let id = format!("valid-perm-{issuer}-{user}").to_lowercase();
            let mut request = vectors.request(vectors.case(&id)).unwrap();
            request.algorithms = default.into();
            if default.contains(&issuer) && default.contains(&user) {
                assert!(verify(&request).is_ok(), "{id}");
            } else {
                assert_eq!(
                    verify(&request),
                    Err(Rejection::UnsupportedAlgorithm),
                    "{id}"
                );
            }
        }
    }
}

#[test]
fn any_one_of_the_issuers_keys_may_have_signed() {
    let vectors = Assertions::load();
    let mut request = vectors
        .request(vectors.case("valid-perm-rs256-ds128"))
        .unwrap();
    let IssuerFinding::Known { keys } = &request.issuer else {
        panic!("no key")
    };
    let right = keys[0].clone();
    let other = |role: &str, name: &str| -> PublicKey {
        serde_json::from_value(vectors.keys[role][name].clone()).unwrap()
    };
    let (same_kind, other_kind) = (other("attacker", "RS256"), other("issuer", "DS256"));
    let unreadable = PublicKey::Rsa {
        n: "-5".into(),
        e: "x".into(),
    };
    for (keys, verdict) in [
        (
            vec![
                unreadable.clone(),
                other_kind.clone(),
                same_kind.clone(),
                right.clone(),
            ],
            None,
        ),
        (vec![right], None),
        (vec![same_kind], Some(Rejection::BadSignature)),
        (vec![other_kind], Some(Rejection::UnsupportedAlgorithm)),
        (vec![unreadable], Some(Rejection::UnusableIssuer)),
        (vec![], Some(Rejection::UnusableIssuer)),
    ] {
        request.issuer = IssuerFinding::Known { keys };
        assert_eq!(verify(&request).err(), verdict);
    }
}

#[derive(Deserialize)]
struct Static {
    cases: Vec<StaticCase>,
    jwcrypto: Jwcrypto,
}

#[derive(Deserialize)]
struct StaticCase {
    id: String,
    assertion: String,
    #[serde(default)]
    audience: String,
    issuer: Option<String>,
    email: Option<String>,
    issuer_public_key: Option<PublicKey>,
    verify_now_ms: Option<u64>,
    assertion_exp: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Jwcrypto {
    backed_assertions: Vec<BackedAssertion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BackedAssertion {
    assertion: String,
    certifying_key: PublicKey,
    #[serde(rename = "expires_at")]
    expires_at: u64,
    audience: String,
    email: String,
}

fn known(assertion: &str, audience: &str, now_ms: u64, key: PublicKey) -> VerifyRequest {
    VerifyRequest {
        assertion: assertion.into(),
        audience: audience.into(),
        now_ms,
        algorithms: SignatureAlgorithm::DEFAULT.into(),
        issuer: IssuerFinding::Known { keys: vec![key] },
    }
}

#[test]
fn assertions_of_real_browsers_verify_in_their_own_time() {
    let vectors: Static = load("browserid_static.json");
    let mut verified = 0;
    for case in vectors.cases {
        let Some(key) = case.issuer_public_key else {
            continue;
        };
        let now_ms = case.verify_now_ms.unwrap();
        let reply = verify(&known(&case.assertion, &case.audience, now_ms, key.clone()));
        let Some(email) = case.email else {
            // Its certificate vouches for no address, only for an unverified one.
            assert_eq!(
                (case.id.as_str(), reply),
                ("local-unverified", Err(Rejection::Malformed))
            );
            continue;
        };
        let reply = reply.unwrap_or_else(|e| panic!("{}: {e}", case.id));
        assert_eq!(
            (reply.email, Some(reply.issuer)),
            (email, case.issuer),
            "{}",
            case.id
        );
        assert_eq!(Some(reply.expires_ms), case.assertion_exp, "{}", case.id);

        let today = verify(&known(&case.assertion, &case.audience, NOW_MS, key));
        assert_eq!(today, Err(Rejection::Expired), "{}", case.id);
        verified += 1;
    }
    assert_eq!(verified, 4);
}

#[test]
fn the_bundle_format_of_2011_is_refused() {
    let vectors: Static = load("browserid_static.json");
    let old = vectors
        .cases
        .iter()
        .find(|case| case.id == "pybrowserid-expired-2011")
        .unwrap();
    assert_eq!(
        peek(&old.assertion, [old.audience.as_str()], 0),
        Err(Rejection::Malformed)
    );
}

#[test]
fn assertions_of_the_javascript_implementation_verify() {
    let vectors: Static = load("browserid_static.json");
    for vector in vectors.jwcrypto.backed_assertions {
        let reply = verify(&known(
            &vector.assertion,
            &vector.audience,
            vector.expires_at,
            vector.certifying_key,
        ));
        assert_eq!(reply.unwrap().email, vector.email);
    }
}
