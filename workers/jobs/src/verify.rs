use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{PublicKey, SignatureAlgorithm};

/// Most keys of one issuer that a request may offer: 8.
pub const MAX_ISSUER_KEYS: usize = 8;

/// Asks a worker to verify a BrowserID assertion.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The bundle `certificate~assertion` as received.
    pub assertion: String,
    /// The audience that the assertion must name, compared literally, e.g. `https://token.example`.
    pub audience: String,
    /// The caller's wall clock, in milliseconds since 1970.
    pub now_ms: u64,
    /// Signature algorithms that may be used, by the issuer or by the user's key.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// What the web tier found out about the issuer that [`peek`](crate::peek) named.
    pub issuer: IssuerFinding,
}

/// What the web tier found out about an assertion's issuer. The worker reports it only when the
/// checks before it have passed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuerFinding {
    /// The issuer may speak for the email's host and publishes these keys (1 to
    /// [`MAX_ISSUER_KEYS`]); any one of them may have signed the certificate.
    Known {
        /// The keys of the issuer's support document, those that are
        /// [bounded](PublicKey::is_bounded).
        keys: Vec<PublicKey>,
    },
    /// The issuer is neither the email's host, nor trusted by setting, nor delegated to.
    Untrusted,
    /// The issuer publishes no support document that can be used.
    Unusable,
    /// The issuer's support document could not be asked for just now.
    Unavailable,
}

/// The reply to a [`VerifyRequest`].
pub type VerifyReply = Result<VerifiedAssertion, Rejection>;

/// What a verified assertion says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifiedAssertion {
    /// The address that the issuer vouches for.
    pub email: String,
    /// The host (with its port, if it has one) that signed the certificate.
    pub issuer: String,
    /// The audience that the user's agent named.
    pub audience: String,
    /// Further claims of the issuer (`idpClaims`), empty when there are none.
    pub idp_claims: Map<String, Value>,
    /// Further claims of the user's agent (`userClaims`), empty when there are none.
    pub user_claims: Map<String, Value>,
    /// When the assertion stops being valid, in milliseconds since 1970.
    pub expires_ms: u64,
}

/// Why an assertion was refused. Checks run in this order, and the first that fails is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Rejection {
    /// Not a bundle of signed JSON objects with the members that BrowserID prescribes.
    #[error("malformed assertion")]
    Malformed,
    /// The assertion was made for another audience.
    #[error("audience mismatch")]
    AudienceMismatch,
    /// More than one certificate.
    #[error("certificate chaining is not supported")]
    UnsupportedChain,
    /// The assertion or its certificate has expired.
    #[error("expired")]
    Expired,
    /// The assertion or its certificate was issued later than now.
    #[error("issued later than now")]
    NotYetValid,
    /// The certificate's address is not one that BrowserID allows.
    #[error("invalid email address")]
    InvalidEmail,
    /// The issuer may not speak for the email's host.
    #[error("untrusted issuer")]
    UntrustedIssuer,
    /// The issuer publishes nothing to verify its certificates with.
    #[error("the issuer has no usable support document")]
    UnusableIssuer,
    /// The issuer could not be asked.
    #[error("the issuer's support document is not available")]
    IssuerUnavailable,
    /// A signature algorithm is unknown, not accepted, or not the one of the key.
    #[error("signature algorithm not accepted")]
    UnsupportedAlgorithm,
    /// A signature does not verify, or a key is not one to verify with.
    #[error("bad signature")]
    BadSignature,
}

/// The kinds of [`Rejection`] that callers answer differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectionClass {
    /// The times do not fit: try again with a new assertion or a corrected clock.
    Timestamp,
    /// The assertion is not good, whenever it is shown.
    Credentials,
    /// The assertion could not be judged: the caller's own dependency is to blame.
    Unavailable,
}

impl Rejection {
    /// A stable name for metrics and logs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::AudienceMismatch => "audience-mismatch",
            Self::UnsupportedChain => "unsupported-chain",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::InvalidEmail => "invalid-email",
            Self::UntrustedIssuer => "untrusted-issuer",
            Self::UnusableIssuer => "unusable-issuer",
            Self::IssuerUnavailable => "issuer-unavailable",
            Self::UnsupportedAlgorithm => "unsupported-algorithm",
            Self::BadSignature => "bad-signature",
        }
    }

    /// How a caller should answer.
    #[must_use]
    pub fn class(self) -> RejectionClass {
        match self {
            Self::Expired | Self::NotYetValid => RejectionClass::Timestamp,
            Self::IssuerUnavailable => RejectionClass::Unavailable,
            Self::Malformed
            | Self::AudienceMismatch
            | Self::UnsupportedChain
            | Self::InvalidEmail
            | Self::UntrustedIssuer
            | Self::UnusableIssuer
            | Self::UnsupportedAlgorithm
            | Self::BadSignature => RejectionClass::Credentials,
        }
    }
}
