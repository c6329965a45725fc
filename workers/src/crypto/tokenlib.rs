//! Tokens as Python's `tokenlib` 2.0 makes them: `base64url(payload || HMAC-SHA256(payload))`, with
//! padding, where the payload is the text of a JSON object. A key of its own belongs to each token,
//! known to whoever shares the secret.

use base64::{Engine, engine::general_purpose::URL_SAFE};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

use super::hkdf::{self, TOKEN_DERIVE, TOKEN_SIGNING};

/// Length of the signature at a token's end, in bytes.
const SIGNATURE_BYTES: usize = 32;

/// Longest token that [`parse`] looks at, in bytes: 8 KiB.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Why a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not base64url, too long, or signed content that is no JSON object with a number `expires`.
    #[error("malformed token")]
    Malformed,
    /// Not signed with this secret.
    #[error("invalid signature")]
    InvalidSignature,
    /// `expires` is not after now.
    #[error("expired token")]
    Expired,
}

/// Signs the text of a JSON object, as it is, and returns the token.
#[must_use]
pub fn make(secret: &[u8], payload: &str) -> String {
    let mut bytes = Vec::with_capacity(payload.len() + SIGNATURE_BYTES);
    bytes.extend_from_slice(payload.as_bytes());
    bytes.extend_from_slice(&mac(secret, payload.as_bytes()).finalize().into_bytes());
    URL_SAFE.encode(bytes)
}

/// The key that belongs to a token, as base64url with padding.
#[must_use]
pub fn derived_key(secret: &[u8], token: &str, salt: &str) -> String {
    let info = [TOKEN_DERIVE, token.as_bytes()];
    URL_SAFE.encode(hkdf::derive_key(secret, Some(salt.as_bytes()), &info).as_ref())
}

/// Verifies a token and returns what it says. The signature is compared in constant time, before
/// anything of the payload is looked at.
///
/// `now` is in seconds since 1970; a token whose `expires` equals it has expired.
///
/// # Errors
///
/// [`TokenError`]. Whatever is too short to hold a signature has an invalid one.
///
/// ```
/// use workers::crypto::tokenlib::{TokenError, make, parse};
///
/// let token = make(b"secret", r#"{"uid": 7, "expires": 1900000000, "salt": "a1b2c3"}"#);
/// assert_eq!(parse(&token, b"secret", 1_899_999_999).unwrap()["uid"], 7);
/// assert_eq!(parse(&token, b"secret", 1_900_000_000), Err(TokenError::Expired));
/// assert_eq!(parse(&token, b"other", 0), Err(TokenError::InvalidSignature));
/// ```
pub fn parse(token: &str, secret: &[u8], now: u64) -> Result<Map<String, Value>, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::Malformed);
    }
    let bytes = URL_SAFE.decode(token).map_err(|_| TokenError::Malformed)?;
    let (payload, signature) = bytes
        .split_last_chunk::<SIGNATURE_BYTES>()
        .ok_or(TokenError::InvalidSignature)?;
    mac(secret, payload)
        .verify_slice(signature)
        .map_err(|_| TokenError::InvalidSignature)?;
    let claims: Map<String, Value> =
        serde_json::from_slice(payload).map_err(|_| TokenError::Malformed)?;
    let expires = claims
        .get("expires")
        .and_then(Value::as_f64)
        .ok_or(TokenError::Malformed)?;
    if expires <= now as f64 {
        Err(TokenError::Expired)
    } else {
        Ok(claims)
    }
}

fn mac(secret: &[u8], payload: &[u8]) -> Hmac<Sha256> {
    let key = hkdf::derive_key(secret, None, &[TOKEN_SIGNING]);
    Hmac::new_from_slice(key.as_ref())
        .expect("HMAC takes keys of any length")
        .chain_update(payload)
}
