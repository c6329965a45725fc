//! What the web tier and the crypto workers say to each other: the requests and replies of the crypto
//! services, their encoding, and the parsers of BrowserID bundles and JWTs that both sides share.
//!
//! There is no cryptography in here. A program that holds only this crate can ask for the work and
//! can read what an assertion *claims*; it cannot verify or sign anything.
//!
//! | service | request | reply |
//! |---|---|---|
//! | [`BROWSERID_VERIFY`] | [`VerifyRequest`] | [`VerifyReply`] |
//! | [`JWT_VERIFY`] | [`VerifyJwtRequest`] | [`VerifyJwtReply`] |
//! | [`TOKEN_ISSUE`] | [`IssueRequest`] | [`IssueReply`] |
//! | [`TOKEN_KEYS`] | [`DescribeKeysRequest`] | [`DescribeKeysReply`] |
//!
//! Bodies are MessagePack with named members (see [`encode`]), so that a worker in another language
//! reads them without this crate. Time and randomness come with the request: the same request has
//! the same reply, whichever worker takes it and however often it is retried.

#![forbid(unsafe_code)]

mod address;
mod bundle;
mod codec;
mod compact;
mod issue;
mod jwk;
mod jwt;
mod key;
mod secret;
mod verify;

pub use address::is_host;
pub use bundle::{Jws, MAX_ASSERTION_BYTES, Peek, Unverified, peek};
pub use codec::{DecodeError, MAX_MESSAGE_BYTES, Message, decode, encode};
pub use issue::{
    DescribeKeysReply, DescribeKeysRequest, Encryption, IssueRefusal, IssueReply, IssueRequest,
    IssuedToken, JwtAlgorithm, KeyDescription, Metrics, Payload, SyncClaims, TokenFormat,
    TokenSecret, UnusableKey,
};
pub use jwk::{EcCurve, Jwk, KeyMaterial, OkpCurve};
pub use jwt::{
    JwsAlgorithm, JwtConditions, JwtRejection, MAX_JWT_BYTES, MAX_JWT_KEYS, UnknownJwsAlgorithm,
    UnverifiedJwt, VerifiedJwt, VerifyJwtReply, VerifyJwtRequest,
};
pub use key::{MAX_KEY_DIGITS, PublicKey, SignatureAlgorithm, UnknownAlgorithm};
pub use secret::Secret;
pub use verify::{
    IssuerFinding, MAX_ISSUER_KEYS, Rejection, RejectionClass, VerifiedAssertion, VerifyReply,
    VerifyRequest,
};

/// The service that verifies BrowserID assertions.
pub const BROWSERID_VERIFY: &str = "browserid-verify";

/// The service that verifies JWTs of other issuers.
pub const JWT_VERIFY: &str = "jwt-verify";

/// The service that issues tokens.
pub const TOKEN_ISSUE: &str = "token-issue";

/// The service that tells the public halves of private keys.
pub const TOKEN_KEYS: &str = "token-keys";
