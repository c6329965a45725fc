//! An identity provider for development: keys that exist for one run, a support document, assertions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use axum::{Json, Router, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use num_bigint::BigUint;
use serde_json::{Value, json};
use sysexits::ExitCode;
use tokio::net::TcpListener;

use crate::failure::Failure;

/// The issuer's name. `.test` belongs to nobody, so only the gateway setting leads here.
pub(super) const HOST: &str = "accounts.dev.test";

/// How long assertions and their certificates are good: as long as anyone plays with one server.
const VALIDITY: Duration = Duration::from_secs(24 * 60 * 60);

/// The issuer, and the one user that it knows.
pub(super) struct Issuer {
    issuer_key: RsaKeyPair,
    user_key: RsaKeyPair,
    /// The user's identifier.
    uid: String,
}

impl Issuer {
    /// Makes two RSA keys, which takes a moment.
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self {
            issuer_key: generate()?,
            user_key: generate()?,
            uid: format!("{:032x}", rand::random::<u128>()),
        })
    }

    pub(super) fn email(&self) -> String {
        format!("{}@{HOST}", self.uid)
    }

    /// A fresh assertion for `audience`, as a client of Firefox Accounts would make it.
    pub(super) fn assertion(&self, audience: &str) -> Result<String, Failure> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let expires = milliseconds(now + VALIDITY);
        let now = milliseconds(now);
        let certificate = json!({
            "iss": HOST,
            "iat": now,
            "exp": expires,
            "public-key": public_key(&self.user_key),
            "principal": { "email": self.email() },
            "fxa-generation": now,
            "fxa-keysChangedAt": now,
            "fxa-tokenVerified": true,
        });
        let assertion = json!({ "exp": expires, "aud": audience });
        Ok(format!(
            "{}~{}",
            sign(&self.issuer_key, &certificate)?,
            sign(&self.user_key, &assertion)?
        ))
    }

    /// Publishes the support document to whoever asks `listener`.
    pub(super) fn publish(&self, listener: TcpListener) {
        let document = json!({
            "authentication": "/sign-in",
            "provisioning": "/provision",
            "public-key": public_key(&self.issuer_key),
        });
        let answer = || async move { Json(document) };
        let router = Router::new().route("/.well-known/browserid", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
}

fn generate() -> Result<RsaKeyPair, Failure> {
    RsaKeyPair::generate(KeySize::Rsa2048)
        .map_err(|_| Failure::new(ExitCode::Software, "cannot make an RSA key"))
}

/// The public half as BrowserID writes it: numbers in decimal.
fn public_key(pair: &RsaKeyPair) -> Value {
    let key = pair.public_key();
    let decimal = |bytes: &[u8]| BigUint::from_bytes_be(bytes).to_string();
    json!({
        "algorithm": "RS",
        "n": decimal(key.modulus().big_endian_without_leading_zero()),
        "e": decimal(key.exponent().big_endian_without_leading_zero()),
    })
}

/// One signed object.
fn sign(pair: &RsaKeyPair, payload: &Value) -> Result<String, Failure> {
    let segment = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        segment(&json!({ "alg": "RS256" })),
        segment(payload)
    );
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .map_err(|_| Failure::new(ExitCode::Software, "cannot sign with an RSA key"))?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
