//! Encryption of tokens: JWE in compact form (RFC 7516) with `dir` and A256GCM (RFC 7518).
//!
//! The content encryption key belongs to one token: HKDF derives it from the secret that is shared with
//! the service, with a salt that stands in the header's `kid`. So no key meets enough nonces for two to be the same.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto_jobs::Encryption;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::Serialize;

use super::hkdf::{self, JWE_KEY, SECRET_ID};

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    enc: &'static str,
    cty: &'static str,
    /// Which of the secrets, a dot, and what the key was derived with: members of our own in the header
    /// would be refused by some libraries.
    kid: &'a str,
}

/// Encrypts a signed token for whoever shares `secret`.
pub(super) fn encrypt(token: &str, secret: &[u8], encryption: &Encryption) -> String {
    let kid = format!("{}.{}", secret_id(secret), encryption.salt);
    let header = Header {
        alg: "dir",
        enc: "A256GCM",
        cty: "JWT",
        kid: &kid,
    };
    let header = serde_json::to_vec(&header).expect("text can always be written as JSON");
    let header = URL_SAFE_NO_PAD.encode(header);
    let key = content_key(secret, &encryption.salt);
    let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("the key has 32 bytes");
    let mut content = token.as_bytes().to_vec();
    let nonce: [u8; NONCE_LEN] = encryption.nonce;
    let tag = LessSafeKey::new(key)
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(header.as_bytes()),
            &mut content,
        )
        .expect("tokens are far shorter than what AES-GCM can encrypt");
    format!(
        "{header}..{}.{}.{}",
        URL_SAFE_NO_PAD.encode(nonce),
        URL_SAFE_NO_PAD.encode(content),
        URL_SAFE_NO_PAD.encode(tag)
    )
}

/// The key of one token.
fn content_key(secret: &[u8], salt: &str) -> zeroize::Zeroizing<[u8; 32]> {
    hkdf::derive_key(secret, Some(salt.as_bytes()), &[JWE_KEY])
}

/// A name for a secret that doesn't give it away.
pub(super) fn secret_id(secret: &[u8]) -> String {
    let id = hkdf::derive_key(secret, None, &[SECRET_ID]);
    URL_SAFE_NO_PAD.encode(&id[..6])
}
