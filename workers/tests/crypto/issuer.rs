//! Issuers of JWTs with a key pair of their own, who sign whatever header and claims they are given.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
        ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
        KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
        RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto_jobs::{
    Jwk, JwsAlgorithm, JwtConditions, JwtRejection, VerifyJwtReply, VerifyJwtRequest,
};
use serde_json::{Value, json};

use crate::verify_jwt;

pub(crate) const CLAIMS: &str = r#"{"sub":"someone","exp":4102444800}"#;

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

type Sign = dyn Fn(&[u8]) -> Vec<u8>;

pub(crate) struct Issuer {
    pub(crate) algorithm: JwsAlgorithm,
    /// The public key, as it stands in a JWK Set.
    pub(crate) key: Value,
    sign: Box<Sign>,
}

impl Issuer {
    /// One for each algorithm. Those with RSA share a key: making one takes long.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        JwsAlgorithm::ALL.into_iter().map(Self::new)
    }

    pub(crate) fn new(algorithm: JwsAlgorithm) -> Self {
        use JwsAlgorithm as A;

        match algorithm {
            A::Rs256 => Self::rsa(algorithm, &RSA_PKCS1_SHA256),
            A::Rs384 => Self::rsa(algorithm, &RSA_PKCS1_SHA384),
            A::Rs512 => Self::rsa(algorithm, &RSA_PKCS1_SHA512),
            A::Ps256 => Self::rsa(algorithm, &RSA_PSS_SHA256),
            A::Ps384 => Self::rsa(algorithm, &RSA_PSS_SHA384),
            A::Ps512 => Self::rsa(algorithm, &RSA_PSS_SHA512),
            A::Es256 => Self::ec(algorithm, "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
            A::Es384 => Self::ec(algorithm, "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
            A::EdDsa => Self::ed25519(),
        }
    }

    /// Signs with ES256, but writes signatures in DER.
    pub(crate) fn es256_in_der() -> Self {
        Self::ec(
            JwsAlgorithm::Es256,
            "P-256",
            &ECDSA_P256_SHA256_ASN1_SIGNING,
        )
    }

    fn rsa(algorithm: JwsAlgorithm, encoding: &'static dyn RsaEncoding) -> Self {
        static PAIR: LazyLock<Arc<rsa::KeyPair>> =
            LazyLock::new(|| Arc::new(rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap()));

        let pair = Arc::clone(&PAIR);
        let public = pair.public_key();
        let key = json!({
            "kty": "RSA",
            "n": base64url(public.modulus().big_endian_without_leading_zero()),
            "e": base64url(public.exponent().big_endian_without_leading_zero()),
        });
        let sign = move |message: &[u8]| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
                .unwrap();
            signature
        };
        Self {
            algorithm,
            key,
            sign: Box::new(sign),
        }
    }

    fn ec(algorithm: JwsAlgorithm, crv: &str, signing: &'static EcdsaSigningAlgorithm) -> Self {
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        // 0x04, then both coordinates.
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let key = json!({ "kty": "EC", "crv": crv, "x": base64url(x), "y": base64url(y) });
        let sign = move |message: &[u8]| {
            let signature = pair.sign(&SystemRandom::new(), message).unwrap();
            signature.as_ref().to_vec()
        };
        Self {
            algorithm,
            key,
            sign: Box::new(sign),
        }
    }

    fn ed25519() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = base64url(pair.public_key());
        Self {
            algorithm: JwsAlgorithm::EdDsa,
            key: json!({ "kty": "OKP", "crv": "Ed25519", "x": x }),
            sign: Box::new(move |message| pair.sign(message).as_ref().to_vec()),
        }
    }

    pub(crate) fn signature(&self, signed: &str) -> Vec<u8> {
        (self.sign)(signed.as_bytes())
    }

    /// Signs these two segments, whatever they are.
    pub(crate) fn jws(&self, header: &str, payload: &str) -> String {
        let signed = format!("{header}.{payload}");
        let signature = base64url(self.signature(&signed));
        format!("{signed}.{signature}")
    }

    /// The usual claims under this header.
    pub(crate) fn token(&self, header: &str) -> String {
        self.jws(&base64url(header), &base64url(CLAIMS))
    }

    /// The usual claims under the header that says how they are signed.
    pub(crate) fn good_token(&self) -> String {
        self.token(&self.header())
    }

    pub(crate) fn header(&self) -> String {
        json!({ "alg": self.algorithm }).to_string()
    }
}

/// The verdict where every algorithm is accepted.
pub(crate) fn judge(token: &str, key: &Value) -> VerifyJwtReply {
    verify_jwt(&VerifyJwtRequest {
        token: token.to_owned(),
        keys: vec![Jwk::from_json(key).expect("a key for signatures")],
        now_s: 1_800_000_000,
        conditions: JwtConditions {
            algorithms: JwsAlgorithm::ALL.into(),
            types: Vec::new(),
            issuer: None,
            audiences: Vec::new(),
            must_expire: true,
            leeway_s: 0,
        },
    })
}

pub(crate) fn assert_refused(token: &str, key: &Value, reason: JwtRejection) {
    assert_eq!(judge(token, key), Err(reason), "{token} {key}");
}

pub(crate) fn assert_accepted(token: &str, key: &Value) {
    let reply = judge(token, key);
    let claims = reply.unwrap_or_else(|e| panic!("{e}: {token}")).claims;
    assert_eq!(claims["sub"], "someone");
}
