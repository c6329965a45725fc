use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Secret;

/// Asks a worker to issue a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueRequest {
    /// The token's format and content.
    pub format: TokenFormat,
    /// What to hash for metrics. The hashes are part of the reply, of [`Payload::Sync`] and of a
    /// JWT's claims.
    pub metrics: Option<Metrics>,
}

/// The formats a token can have.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFormat {
    /// `base64url(payload || HMAC-SHA256(payload))`, as Python's `tokenlib` makes and reads them.
    Tokenlib {
        /// What the signing key and the token's own key are derived from.
        secret: TokenSecret,
        /// What the token says.
        payload: Payload,
    },
    /// A JWS in compact form.
    Jwt {
        /// The signature algorithm.
        algorithm: JwtAlgorithm,
        /// The private key: PKCS#8 DER, PKCS#1 DER too for RS256, bytes for HS256.
        key: Secret,
        /// The header's `kid`. `None`: the thumbprint of the public key (RFC 7638), or for HS256 a name
        /// that is derived from the key.
        kid: Option<String>,
        /// The header's `typ`.
        typ: Option<String>,
        /// The claims as the text of one JSON object.
        claims: String,
        /// What the token's own key is derived from, with the salt of the claims, as for tokenlib
        /// tokens. `None`: the token has no key.
        secret: Option<TokenSecret>,
        /// Whether the token is encrypted, with a key that is derived from `secret`.
        encryption: Option<Encryption>,
    },
}

/// How a JWT is encrypted: JWE with `dir` and A256GCM. The randomness is the caller's, so that a retry
/// of the job makes the same token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// The initialization vector.
    pub nonce: [u8; 12],
    /// What the content encryption key is derived with; it stands in the header's `kid`.
    pub salt: String,
}

/// Where a tokenlib token's secret comes from. Its text is used as bytes, also when it looks like
/// hexadecimal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenSecret {
    /// The secret itself.
    Fixed(Secret),
    /// One secret per node, derived from a master secret with HKDF.
    PerNode {
        /// The master secret; derived secrets have its length, in hexadecimal.
        master: Secret,
        /// The node's URL, as it stands in the token.
        node: String,
    },
}

/// What a tokenlib token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// The text of one JSON object, signed as it is. It must hold a string `salt`.
    Json(String),
    /// The claims that a Sync storage node expects; the worker adds the metrics hashes.
    Sync(SyncClaims),
}

/// The claims of a token for Sync, in the order in which they are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncClaims {
    /// The user's number at the node.
    pub uid: u64,
    /// The node's URL.
    pub node: String,
    /// When the token stops being valid, in seconds since 1970.
    pub expires: u64,
    /// The account's identifier.
    pub fxa_uid: String,
    /// The identifier of the account's current key.
    pub fxa_kid: String,
    /// The server that made the token, if it wants to be named.
    pub tokenserver_origin: Option<String>,
    /// Three random bytes in hexadecimal. Randomness is the caller's, so that a retry of the job
    /// makes the same token.
    pub salt: String,
}

/// What to hash so that logs can tell users and devices apart without naming them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// The key of the hashes.
    pub secret: Secret,
    /// The account's identifier.
    pub fxa_uid: String,
    /// The device's identifier, if the client told it.
    pub device_id: Option<String>,
}

/// The signature algorithms a JWT can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JwtAlgorithm {
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// HMAC with SHA-256.
    #[serde(rename = "HS256")]
    Hs256,
}

/// The reply to an [`IssueRequest`].
pub type IssueReply = Result<IssuedToken, IssueRefusal>;

/// A token and what belongs to it.
#[derive(Clone, Serialize, Deserialize)]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// The secret that belongs to the token, base64url with padding. `None` with a JWT for which no
    /// secret was given.
    pub key: Option<String>,
    /// The account's hash, 32 hexadecimal digits, where the request had metrics.
    pub hashed_fxa_uid: Option<String>,
    /// The device's hash, 32 hexadecimal digits, where the request had metrics.
    pub hashed_device_id: Option<String>,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken")
            .field("token", &"[redacted]")
            .field("key", &"[redacted]")
            .field("hashed_fxa_uid", &self.hashed_fxa_uid)
            .field("hashed_device_id", &self.hashed_device_id)
            .finish()
    }
}

/// Why a token was not issued. All of these are mistakes of the server's own settings or code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum IssueRefusal {
    /// The payload is not a JSON object, or has no string `salt` where the token is to have a key.
    #[error("the payload is not a JSON object with what its format needs")]
    InvalidPayload,
    /// The key is not one of its algorithm, or the secret has a length that cannot be used.
    #[error("the key or secret cannot be used")]
    InvalidKey,
}

impl JwtAlgorithm {
    /// The name as it stands in a header's `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }
}

impl fmt::Display for JwtAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl IssueRefusal {
    /// A stable name for metrics and logs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidPayload => "invalid-payload",
            Self::InvalidKey => "invalid-key",
        }
    }
}

/// Asks a worker what there is to know in public about private keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescribeKeysRequest {
    /// The keys: PKCS#8 DER, or PKCS#1 DER for RSA.
    pub keys: Vec<Secret>,
}

/// The reply to a [`DescribeKeysRequest`]: a description for each key, in their order.
pub type DescribeKeysReply = Result<Vec<KeyDescription>, UnusableKey>;

/// What may be known of a private key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDescription {
    /// What JWTs are signed with by it.
    pub algorithm: JwtAlgorithm,
    /// The thumbprint of the public key (RFC 7638).
    pub kid: String,
    /// The public key as a member of a JWK Set: with `alg`, `kid` and `use`.
    pub jwk: Map<String, Value>,
}

/// One of the keys is no Ed25519 key, no P-256 key, and no RSA key of 2048 bits or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("it is no private key for EdDSA, ES256 or RS256")]
pub struct UnusableKey {
    /// Its place in the request.
    pub index: usize,
}
