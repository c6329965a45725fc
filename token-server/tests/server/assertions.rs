//! An identity provider of BrowserID that vouches for whatever a test wants to have said.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use num_bigint::BigUint;
use serde_json::{Value, json};

use crate::{gateway, issuer::now_s};

const HOST: &str = "accounts.example.test";

pub(crate) struct Provider {
    /// The provider's, and every user's.
    key: RsaKeyPair,
    /// What support documents are asked for.
    pub(crate) gateway: String,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        Self::start_beside(json!({})).await
    }

    /// The same, and other hosts' documents.
    pub(crate) async fn start_beside(mut documents: Value) -> Self {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let document = json!({
            "authentication": "/in", "provisioning": "/cert", "public-key": public(&key),
        });
        documents[HOST] = published(&document);
        let gateway = gateway::start(documents).await;
        Self { key, gateway }
    }

    /// An assertion whose certificate has these claims besides the usual ones, or in their place.
    pub(crate) fn assertion(&self, user: &str, more: &Value) -> String {
        let expires = (now_s() + 600) * 1000;
        let mut certificate = json!({
            "iss": HOST,
            "exp": expires,
            "public-key": public(&self.key),
            "principal": { "email": format!("{user}@{HOST}") },
        });
        for (name, value) in more.as_object().unwrap() {
            certificate[name] = value.clone();
        }
        let assertion = json!({ "exp": expires, "aud": "https://token.example.test" });
        format!("{}~{}", self.sign(&certificate), self.sign(&assertion))
    }

    fn sign(&self, payload: &Value) -> String {
        let segment = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!(
            "{}.{}",
            segment(&json!({ "alg": "RS256" })),
            segment(payload)
        );
        let mut signature = vec![0; self.key.public_modulus_len()];
        let (random, message) = (SystemRandom::new(), signed.as_bytes());
        self.key
            .sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// How a host answers that publishes this document.
pub(crate) fn published(document: &Value) -> Value {
    json!({ "status": 200, "content_type": "application/json", "body": document })
}

fn public(key: &RsaKeyPair) -> Value {
    let key = key.public_key();
    let decimal = |bytes: &[u8]| BigUint::from_bytes_be(bytes).to_string();
    json!({
        "algorithm": "RS",
        "n": decimal(key.modulus().big_endian_without_leading_zero()),
        "e": decimal(key.exponent().big_endian_without_leading_zero()),
    })
}
