//! Makes assertions that the vectors do not hold: signs with the vectors' private test keys.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto_jobs::{IssuerFinding, SignatureAlgorithm, VerifyRequest};
use num_bigint::BigUint;
use ring::digest;
use serde_json::{Value, json};

use crate::vectors::Assertions;

pub(crate) const AUDIENCE: &str = "https://token.example.test";
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

/// An RSA key pair with its modulus in bytes.
pub(crate) struct Signer {
    pub(crate) public: Value,
    pub(crate) n: BigUint,
    pub(crate) e: BigUint,
    pub(crate) d: BigUint,
    pub(crate) p: BigUint,
    pub(crate) q: BigUint,
    algorithm: String,
}

impl Signer {
    pub(crate) fn new(vectors: &Assertions, role: &str, algorithm: &str) -> Self {
        let key = &vectors.keys[role][algorithm];
        let number = |name: &str| key[name].as_str().unwrap().parse().unwrap();
        Self {
            public: json!({"algorithm": "RS", "n": key["n"], "e": key["e"]}),
            n: number("n"),
            e: number("e"),
            d: number("d"),
            p: number("p"),
            q: number("q"),
            algorithm: algorithm.into(),
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.n.bits().div_ceil(8) as usize
    }

    /// PKCS#1 v1.5 with SHA-256, as a number.
    pub(crate) fn sign(&self, message: &[u8]) -> BigUint {
        let digest_info =
            b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
        let mut padded = vec![0x00, 0x01];
        padded.resize(self.size() - 52, 0xff);
        padded.push(0x00);
        padded.extend_from_slice(digest_info);
        padded.extend_from_slice(digest::digest(&digest::SHA256, message).as_ref());
        BigUint::from_bytes_be(&padded).modpow(&self.d, &self.n)
    }

    pub(crate) fn fixed_length(&self, signature: &BigUint) -> Vec<u8> {
        let digits = signature.to_bytes_be();
        let mut bytes = vec![0; self.size() - digits.len()];
        bytes.extend(digits);
        bytes
    }

    pub(crate) fn jws(&self, payload: &Value) -> String {
        let signed = unsigned(&self.algorithm, payload);
        let signature = self.fixed_length(&self.sign(signed.as_bytes()));
        with_signature(&signed, &signature)
    }
}

/// Header and payload of a JWS.
pub(crate) fn unsigned(algorithm: &str, payload: &Value) -> String {
    let header = json!({"alg": algorithm}).to_string();
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload.to_string())
    )
}

pub(crate) fn with_signature(signed: &str, signature: &[u8]) -> String {
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub(crate) fn certificate_payload(user_key: &Value) -> Value {
    json!({
        "iss": "accounts.example.test",
        "exp": NOW_MS + 60_000,
        "principal": {"email": "someone@accounts.example.test"},
        "public-key": user_key,
    })
}

pub(crate) fn assertion_payload() -> Value {
    json!({"exp": NOW_MS + 60_000, "aud": AUDIENCE})
}

/// Asks to verify `certificate~assertion`, issued with `issuer`'s key.
pub(crate) fn request(certificate: &str, assertion: &str, issuer: &Value) -> VerifyRequest {
    VerifyRequest {
        assertion: format!("{certificate}~{assertion}"),
        audience: AUDIENCE.into(),
        now_ms: NOW_MS,
        algorithms: SignatureAlgorithm::ALL.into(),
        issuer: IssuerFinding::Known {
            keys: vec![serde_json::from_value(issuer.clone()).unwrap()],
        },
    }
}
