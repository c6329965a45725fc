use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto_jobs::{
    DescribeKeysRequest, Encryption, IssueRefusal, IssueRequest, JwtAlgorithm, Metrics, Secret,
    TokenFormat, TokenSecret,
};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode};
use num_bigint::BigUint;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use serde_json::{Map, Value};
use workers::crypto::{describe_keys, hkdf, tokenlib};

use crate::{issue, signer::Signer, vectors::Assertions};

const CLAIMS: &str = r#"{"sub": "someone", "exp": 4102444800, "nested": {"list": [1, 2.5, null]}}"#;

fn request(algorithm: JwtAlgorithm, key: &[u8], claims: &str) -> IssueRequest {
    let format = TokenFormat::Jwt {
        algorithm,
        key: Secret::from(key.to_vec()),
        kid: Some("2026-11".into()),
        typ: Some("at+jwt".into()),
        claims: claims.into(),
        secret: None,
        encryption: None,
    };
    IssueRequest {
        format,
        metrics: None,
    }
}

fn read(token: &str, algorithm: Algorithm, key: &DecodingKey) -> (Header, Map<String, Value>) {
    let token = decode::<Map<String, Value>>(token, key, &Validation::new(algorithm)).unwrap();
    (token.header, token.claims)
}

fn assert_good(algorithm: JwtAlgorithm, private: &[u8], expected: Algorithm, public: &DecodingKey) {
    let issued = issue(&request(algorithm, private, CLAIMS)).unwrap();
    assert_eq!(issued.key, None);
    let (header, claims) = read(&issued.token, expected, public);
    assert_eq!(header.kid.as_deref(), Some("2026-11"));
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    assert_eq!(
        claims,
        serde_json::from_str::<Map<String, Value>>(CLAIMS).unwrap()
    );
}

fn pkcs8(generate: impl FnOnce(&SystemRandom) -> Vec<u8>) -> Vec<u8> {
    generate(&SystemRandom::new())
}

fn ed25519() -> Vec<u8> {
    pkcs8(|random| {
        Ed25519KeyPair::generate_pkcs8(random)
            .unwrap()
            .as_ref()
            .to_vec()
    })
}

#[test]
fn eddsa() {
    let private = ed25519();
    let public = Ed25519KeyPair::from_pkcs8(&private).unwrap();
    let public = DecodingKey::from_ed_der(public.public_key().as_ref());
    assert_good(JwtAlgorithm::EdDsa, &private, Algorithm::EdDSA, &public);
}

#[test]
fn es256() {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let private = pkcs8(|random| {
        EcdsaKeyPair::generate_pkcs8(algorithm, random)
            .unwrap()
            .as_ref()
            .to_vec()
    });
    let public = EcdsaKeyPair::from_pkcs8(algorithm, &private, &SystemRandom::new()).unwrap();
    let public = DecodingKey::from_ec_der(public.public_key().as_ref());
    assert_good(JwtAlgorithm::Es256, &private, Algorithm::ES256, &public);
}

#[test]
fn rs256() {
    let vectors = Assertions::load();
    let key = Signer::new(&vectors, "issuer", "RS256");
    let (n, e) = (key.n.to_bytes_be(), key.e.to_bytes_be());
    let public = DecodingKey::from_rsa_raw_components(&n, &e);
    assert_good(
        JwtAlgorithm::Rs256,
        &pkcs1_der(&key),
        Algorithm::RS256,
        &public,
    );
}

#[test]
fn hs256() {
    let key = [7; 32];
    assert_good(
        JwtAlgorithm::Hs256,
        &key,
        Algorithm::HS256,
        &DecodingKey::from_secret(&key),
    );
}

/// RFC 8017, appendix A.1.2.
fn pkcs1_der(key: &Signer) -> Vec<u8> {
    let one = BigUint::from(1_u8);
    let (dp, dq) = (&key.d % (&key.p - &one), &key.d % (&key.q - &one));
    let q_inverse = key.q.modinv(&key.p).unwrap();
    let numbers = [
        &BigUint::ZERO,
        &key.n,
        &key.e,
        &key.d,
        &key.p,
        &key.q,
        &dp,
        &dq,
        &q_inverse,
    ];
    der(0x30, &numbers.map(integer).concat())
}

fn integer(number: &BigUint) -> Vec<u8> {
    let mut content = number.to_bytes_be();
    if content[0] & 0x80 != 0 {
        content.insert(0, 0);
    }
    der(0x02, &content)
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let length: &[u8] = match (high, low) {
        (0, 0..0x80) => &[low],
        (0, _) => &[0x81, low],
        _ => &[0x82, high, low],
    };
    [&[tag], length, content].concat()
}

#[test]
fn the_hashes_become_claims_and_part_of_the_reply() {
    let key = [7; 32];
    let mut request = request(JwtAlgorithm::Hs256, &key, CLAIMS);
    request.metrics = Some(Metrics {
        secret: Secret::from("super-sekrit"),
        fxa_uid: "1e3a9a2a722efe11d18ff0fa7867f2b3".into(),
        device_id: Some("a36d0dc24591ceed9617f1c134feb20b".into()),
    });
    let issued = issue(&request).unwrap();
    let (_, claims) = read(
        &issued.token,
        Algorithm::HS256,
        &DecodingKey::from_secret(&key),
    );
    assert_eq!(claims["hashed_fxa_uid"], "ab38541e729e2adc93e6def33180ff49");
    assert_eq!(
        claims["hashed_device_id"],
        "db60194c1b5c2dab28c20ee5547d286f"
    );
    assert_eq!(
        issued.hashed_fxa_uid.as_deref(),
        Some("ab38541e729e2adc93e6def33180ff49")
    );
}

#[test]
fn keys_of_another_algorithm_or_none_at_all_are_refused() {
    let ed25519 = ed25519();
    for (algorithm, key) in [
        (JwtAlgorithm::Es256, ed25519.as_slice()),
        (JwtAlgorithm::Rs256, &ed25519),
        (JwtAlgorithm::EdDsa, b""),
        (JwtAlgorithm::EdDsa, &ed25519[1..]),
        (JwtAlgorithm::Hs256, &[7; 31]),
    ] {
        let refusal = issue(&request(algorithm, key, CLAIMS)).unwrap_err();
        assert_eq!(refusal, IssueRefusal::InvalidKey, "{algorithm:?}");
    }
}

#[test]
fn claims_that_are_no_object_are_refused() {
    for claims in ["", "[]", "5", "{", r#"{"a": 1} x"#] {
        let refusal = issue(&request(JwtAlgorithm::Hs256, &[7; 32], claims)).unwrap_err();
        assert_eq!(refusal, IssueRefusal::InvalidPayload, "{claims}");
    }
}

/// Claims with a salt, as a token with a key of its own needs.
const SALTED: &str = r#"{"sub": "someone", "exp": 4102444800, "salt": "a1b2c3"}"#;

fn with_secret(encryption: Option<Encryption>) -> IssueRequest {
    let mut request = request(JwtAlgorithm::EdDsa, &ed25519(), SALTED);
    let TokenFormat::Jwt {
        secret,
        encryption: place,
        ..
    } = &mut request.format
    else {
        unreachable!("it was made above");
    };
    *secret = Some(TokenSecret::Fixed(Secret::from("shared with the service")));
    *place = encryption;
    request
}

#[test]
fn a_secret_gives_the_token_a_key_of_its_own_as_tokenlib_derives_it() {
    let issued = issue(&with_secret(None)).unwrap();
    let key = tokenlib::derived_key(b"shared with the service", &issued.token, "a1b2c3");
    assert_eq!(issued.key, Some(key));
}

#[test]
fn an_encrypted_token_opens_with_the_key_that_its_header_leads_to() {
    let encryption = Encryption {
        nonce: [7; 12],
        salt: "0123456789abcdef".into(),
    };
    let request = with_secret(Some(encryption));
    let issued = issue(&request).unwrap();
    assert_eq!(issue(&request).unwrap().token, issued.token, "repeatable");
    let segments: Vec<&str> = issued.token.split('.').collect();
    let [header, encrypted_key, nonce, content, tag] = segments[..] else {
        panic!("not a JWE: {}", issued.token);
    };
    assert_eq!(encrypted_key, "");
    let decode = |segment: &str| URL_SAFE_NO_PAD.decode(segment).unwrap();
    let parsed: Map<String, Value> = serde_json::from_slice(&decode(header)).unwrap();
    assert_eq!(parsed["alg"], "dir");
    assert_eq!(parsed["enc"], "A256GCM");
    let (_, salt) = parsed["kid"].as_str().unwrap().split_once('.').unwrap();
    let info: &[&[u8]] = &[b"token-server/v1/jwe/A256GCM"];
    let key = hkdf::derive(b"shared with the service", Some(salt.as_bytes()), info, 32).unwrap();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(&decode(nonce)).unwrap();
    let mut opened = [decode(content), decode(tag)].concat();
    let inner = key
        .open_in_place(nonce, Aad::from(header.as_bytes()), &mut opened)
        .unwrap();
    let inner = std::str::from_utf8(inner).unwrap();
    assert_eq!(inner.split('.').count(), 3, "a signed token: {inner}");
    let own = tokenlib::derived_key(b"shared with the service", &issued.token, "a1b2c3");
    assert_eq!(issued.key, Some(own));
}

#[test]
fn encryption_needs_a_secret_and_a_key_needs_a_salt() {
    let mut request = with_secret(None);
    if let TokenFormat::Jwt { claims, .. } = &mut request.format {
        *claims = CLAIMS.into();
    }
    assert_eq!(issue(&request).unwrap_err(), IssueRefusal::InvalidPayload);
    let mut request = with_secret(Some(Encryption {
        nonce: [0; 12],
        salt: String::new(),
    }));
    if let TokenFormat::Jwt { secret, .. } = &mut request.format {
        *secret = None;
    }
    assert_eq!(issue(&request).unwrap_err(), IssueRefusal::InvalidKey);
}

#[test]
fn without_a_kid_the_keys_thumbprint_is_it() {
    let private = ed25519();
    let mut request = request(JwtAlgorithm::EdDsa, &private, CLAIMS);
    if let TokenFormat::Jwt { kid, .. } = &mut request.format {
        *kid = None;
    }
    let described = describe_keys(&DescribeKeysRequest {
        keys: vec![Secret::from(private)],
    })
    .unwrap();
    let issued = issue(&request).unwrap();
    let jwk = serde_json::from_value(Value::Object(described[0].jwk.clone())).unwrap();
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    let (header, _) = read(&issued.token, Algorithm::EdDSA, &key);
    assert_eq!(header.kid.as_deref(), Some(described[0].kid.as_str()));
}

#[test]
fn the_first_key_that_is_none_is_named() {
    let keys = vec![Secret::from(ed25519()), Secret::from("junk")];
    let reply = describe_keys(&DescribeKeysRequest { keys });
    assert_eq!(reply.unwrap_err().index, 1);
}
