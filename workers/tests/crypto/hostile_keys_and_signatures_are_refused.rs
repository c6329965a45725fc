use std::{sync::mpsc, thread, time::Duration};

use crypto_jobs::{Rejection, VerifyReply, VerifyRequest};
use num_bigint::BigUint;
use serde_json::{Value, json};

use crate::{
    signer::{Signer, assertion_payload, certificate_payload, request, unsigned, with_signature},
    vectors::Assertions,
    verify,
};

/// Verification of anything takes well below a millisecond; some old verifiers never came back.
const HUNG: Duration = Duration::from_secs(10);

fn verify_in_time(request: VerifyRequest) -> VerifyReply {
    let (done, verdict) = mpsc::channel();
    thread::spawn(move || done.send(verify(&request)).expect("the test waits"));
    verdict.recv_timeout(HUNG).expect("the verifier came back")
}

/// A certificate that is in order, for a user's key of one's choice.
fn certified(
    issuer: &Signer,
    user_key: &Value,
    algorithm: &str,
    signature: &[u8],
) -> VerifyRequest {
    let certificate = issuer.jws(&certificate_payload(user_key));
    let assertion = with_signature(&unsigned(algorithm, &assertion_payload()), signature);
    request(&certificate, &assertion, &issuer.public)
}

#[test]
fn the_signer_of_these_tests_makes_good_assertions() {
    let vectors = Assertions::load();
    for algorithm in ["RS64", "RS128", "RS256"] {
        let issuer = Signer::new(&vectors, "issuer", algorithm);
        let user = Signer::new(&vectors, "user", algorithm);
        let certificate = issuer.jws(&certificate_payload(&user.public));
        let request = request(
            &certificate,
            &user.jws(&assertion_payload()),
            &issuer.public,
        );
        assert!(verify(&request).is_ok(), "{algorithm}");
    }
}

#[test]
fn rsa_signatures_have_the_modulus_length_and_lie_below_it() {
    let vectors = Assertions::load();
    let user_key = &vectors.keys["user"]["DS128"];
    for algorithm in ["RS64", "RS128", "RS256"] {
        let issuer = Signer::new(&vectors, "issuer", algorithm);
        let room = BigUint::from(1_u8) << (8 * issuer.size());
        let (mut short_ones, mut too_large_ones) = (0, 0);
        // One signature in 256 starts with a zero byte, and a good part of them has room for n more.
        for nonce in 0..100_000_u32 {
            let mut payload = certificate_payload(user_key);
            payload["nonce"] = nonce.into();
            let signed = unsigned(algorithm, &payload);
            let signature = issuer.sign(signed.as_bytes());
            let plus_n = &signature + &issuer.n;
            let is_short = signature.bits() <= 8 * (issuer.size() as u64 - 1);
            if !is_short && plus_n >= room {
                continue;
            }
            // The issuer's half is in order when the verifier gets as far as the assertion.
            let judge = |signature: &[u8]| {
                let certificate = with_signature(&signed, signature);
                let assertion = unsigned("RS256", &assertion_payload());
                verify(&request(
                    &certificate,
                    &with_signature(&assertion, b""),
                    &issuer.public,
                ))
            };
            let whole = issuer.fixed_length(&signature);
            assert_eq!(
                judge(&whole),
                Err(Rejection::UnsupportedAlgorithm),
                "{algorithm}"
            );
            assert_eq!(
                judge(&[&[0], &*whole].concat()),
                Err(Rejection::BadSignature)
            );
            assert_eq!(
                judge(&[&*whole, &[0]].concat()),
                Err(Rejection::BadSignature)
            );
            if is_short {
                assert_eq!(
                    judge(&signature.to_bytes_be()),
                    Err(Rejection::BadSignature)
                );
                short_ones += 1;
            }
            if plus_n < room {
                assert_eq!(judge(&plus_n.to_bytes_be()), Err(Rejection::BadSignature));
                too_large_ones += 1;
            }
            if short_ones > 0 && too_large_ones > 0 {
                break;
            }
        }
        assert!(short_ones > 0 && too_large_ones > 0, "{algorithm}");
    }
}

#[test]
fn trivial_rsa_signatures_are_refused() {
    let vectors = Assertions::load();
    let issuer = Signer::new(&vectors, "issuer", "RS256");
    for algorithm in ["RS64", "RS128", "RS256"] {
        let user = Signer::new(&vectors, "user", algorithm);
        let numbers = [BigUint::ZERO, 1_u8.into(), &user.n - 1_u8];
        for number in numbers {
            let signature = user.fixed_length(&number);
            let request = certified(&issuer, &user.public, algorithm, &signature);
            assert_eq!(
                verify_in_time(request),
                Err(Rejection::BadSignature),
                "{algorithm}"
            );
        }
    }
}

#[test]
fn rsa_keys_that_are_none_are_refused() {
    let vectors = Assertions::load();
    let issuer = Signer::new(&vectors, "issuer", "RS256");
    let good = Signer::new(&vectors, "user", "RS256");
    let n = good.n.to_string();
    let even = (&good.n - 1_u8).to_string();
    let endless = "9".repeat(8_000);
    for (n, e) in [
        ("0", "65537"),
        ("1", "65537"),
        (even.as_str(), "65537"),
        (endless.as_str(), "65537"),
        (n.as_str(), "0"),
        (n.as_str(), "1"),
        (n.as_str(), "65536"),
        (n.as_str(), "-3"),
        (n.as_str(), n.as_str()),
        (n.as_str(), endless.as_str()),
        (n.as_str(), ""),
        ("", ""),
        ("0x10001", "3"),
    ] {
        let key = json!({"algorithm": "RS", "n": n, "e": e});
        let request = certified(&issuer, &key, "RS256", &[1; 256]);
        assert_eq!(
            verify_in_time(request),
            Err(Rejection::BadSignature),
            "n={n:.20} e={e:.20}"
        );
    }
}

#[test]
fn dsa_keys_that_are_none_are_refused() {
    let vectors = Assertions::load();
    let issuer = Signer::new(&vectors, "issuer", "RS256");
    for (algorithm, size) in [("DS128", 20), ("DS256", 32)] {
        let good = &vectors.keys["user"][algorithm];
        let number =
            |name: &str| BigUint::parse_bytes(good[name].as_str().unwrap().as_bytes(), 16).unwrap();
        let (p, q) = (number("p"), number("q"));
        let hex = |number: BigUint| number.to_str_radix(16);
        let all_ones = |bits: u32| hex((BigUint::from(1_u8) << bits) - 1_u8);
        let changes = [
            ("p", "0".into()),
            ("p", "1".into()),
            ("p", hex(&p - 1_u8)),
            ("p", hex(&p << 1)),
            ("p", hex(q.clone())),
            ("p", "f".repeat(8_000)),
            ("q", "0".into()),
            ("q", "1".into()),
            ("q", hex(&q - 1_u8)),
            ("q", hex(&q << 1)),
            ("q", hex(p.clone())),
            ("g", "0".into()),
            ("g", "1".into()),
            ("g", hex(p.clone())),
            ("g", hex(&p << 64)),
            ("y", "0".into()),
            ("y", "1".into()),
            ("y", hex(p.clone())),
            ("y", "-1".into()),
            ("y", "0x2".into()),
            ("y", String::new()),
            ("y", "f".repeat(8_000)),
        ];
        for (name, value) in changes {
            let mut key = good.clone();
            key[name] = value.clone().into();
            let request = certified(&issuer, &key, algorithm, &vec![1; 2 * size]);
            let verdict = verify_in_time(request);
            assert_eq!(
                verdict,
                Err(Rejection::BadSignature),
                "{algorithm} {name}={value:.20}"
            );
        }
        // Of the right size and odd, but composite: the arithmetic has to come back all the same.
        for (name, bits) in [
            ("p", if size == 20 { 1024 } else { 2048 }),
            ("q", 8 * size as u32),
        ] {
            let mut key = good.clone();
            key[name] = all_ones(bits).into();
            for signature in [vec![1; 2 * size], vec![0x55; 2 * size], vec![3; size]] {
                let request = certified(&issuer, &key, algorithm, &signature);
                assert_eq!(
                    verify_in_time(request),
                    Err(Rejection::BadSignature),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn dsa_signatures_out_of_range_are_refused() {
    let vectors = Assertions::load();
    let issuer = Signer::new(&vectors, "issuer", "RS256");
    for (algorithm, size) in [("DS128", 20), ("DS256", 32)] {
        let key = &vectors.keys["user"][algorithm];
        let q = BigUint::parse_bytes(key["q"].as_str().unwrap().as_bytes(), 16).unwrap();
        let q_less_1 = (&q - 1_u8).to_bytes_be();
        let (q, zero, ones) = (q.to_bytes_be(), vec![0; size], vec![0xff; size]);
        let mut one = zero.clone();
        one[size - 1] = 1;
        let halves = [&zero, &one, &q_less_1, &q, &ones];
        for r in halves {
            for s in halves {
                let request = certified(&issuer, key, algorithm, &[r.as_slice(), s].concat());
                assert_eq!(
                    verify_in_time(request),
                    Err(Rejection::BadSignature),
                    "{algorithm}"
                );
            }
        }
        for length in [
            0,
            1,
            size - 1,
            size,
            2 * size - 1,
            2 * size + 1,
            4 * size,
            4_000,
        ] {
            let request = certified(&issuer, key, algorithm, &vec![1; length]);
            assert_eq!(
                verify_in_time(request),
                Err(Rejection::BadSignature),
                "{length} bytes"
            );
        }
    }
}

#[test]
fn a_key_is_used_with_its_own_algorithm_alone() {
    let vectors = Assertions::load();
    let issuer = Signer::new(&vectors, "issuer", "RS256");
    let algorithms = ["RS64", "RS128", "RS256", "DS128", "DS256"];
    for key in algorithms {
        for algorithm in algorithms.into_iter().filter(|algorithm| *algorithm != key) {
            let request = certified(&issuer, &vectors.keys["user"][key], algorithm, &[1; 40]);
            assert_eq!(
                verify(&request),
                Err(Rejection::UnsupportedAlgorithm),
                "{key} {algorithm}"
            );
        }
    }
}
