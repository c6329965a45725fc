//! The crypto services.
//!
//! | service | does | function |
//! |---|---|---|
//! | [`BROWSERID_VERIFY`] | verifies a BrowserID assertion | [`verify_browserid`] |
//! | [`JWT_VERIFY`] | verifies a JWT of another issuer | [`verify_jwt`] |
//! | [`TOKEN_ISSUE`] | issues a tokenlib token or a JWT | [`issue_token`] |
//! | [`TOKEN_KEYS`] | tells the public halves of signing keys | [`describe_keys`] |
//!
//! Requests come from the web tier, but what they carry comes from anyone: every length and every
//! number is bounded before it costs time, and no input makes these functions panic.

mod browserid;
mod dsa;
pub mod hkdf;
mod issue;
mod jwe;
mod jwt;
pub mod metrics;
mod rsa;
mod signing_key;
pub mod tokenlib;
mod verify_jwt;
mod verifying_key;
#[cfg(test)]
mod wycheproof;

use crypto_jobs::{
    BROWSERID_VERIFY, DecodeError, JWT_VERIFY, TOKEN_ISSUE, TOKEN_KEYS, decode, encode,
};

pub use browserid::verify as verify_browserid;
pub use issue::{issue as issue_token, node_secret};
pub use jwt::describe as describe_keys;
pub use verify_jwt::verify as verify_jwt;

/// The services that [`handle`] knows.
pub const SERVICES: [&str; 4] = [BROWSERID_VERIFY, JWT_VERIFY, TOKEN_ISSUE, TOKEN_KEYS];

/// Why there is no reply: the caller sent something that is no request of the service.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The job names a service that is not one of [`SERVICES`].
    #[error("unknown service")]
    UnknownService,
    /// The body is not a request of the service.
    #[error("not a request of this service: {0}")]
    Request(#[from] DecodeError),
}

/// Does one job of one of the [`SERVICES`]: decodes the request, does the work, encodes the reply.
///
/// A refused assertion is a reply as much as a verified one. Calls are independent of each other and
/// of time; any number of threads may make them.
///
/// # Errors
///
/// [`HandleError`] when `service` is unknown or `body` is not one of its requests.
///
/// ```
/// use workers::crypto::{HandleError, handle};
///
/// assert!(matches!(handle("haircut", b""), Err(HandleError::UnknownService)));
/// ```
pub fn handle(service: &str, body: &[u8]) -> Result<Vec<u8>, HandleError> {
    match service {
        BROWSERID_VERIFY => Ok(encode(&verify_browserid(&decode(body)?))),
        JWT_VERIFY => Ok(encode(&verify_jwt(&decode(body)?))),
        TOKEN_ISSUE => Ok(encode(&issue_token(decode(body)?))),
        TOKEN_KEYS => Ok(encode(&describe_keys(&decode(body)?))),
        _ => Err(HandleError::UnknownService),
    }
}
