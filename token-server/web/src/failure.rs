use crypto_jobs::{JwtRejection, Rejection};
use powerhose::ExecuteError;

use crate::{
    client_state::InvalidClientState, outbound::OutboundError, store::StoreError, users::Refusal,
};

/// Why a request got no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// No route has this path.
    #[error("not found")]
    NotFound,
    /// The route doesn't know the method.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The request's head is larger than the limit.
    #[error("request head too large")]
    HeadTooLarge,
    /// The request's body is larger than the limit.
    #[error("request body too large")]
    BodyTooLarge,
    /// The request's body did not come in time.
    #[error("request body too slow")]
    BodyTooSlow,
    /// The request's body breaks off, or is no chunks.
    #[error("malformed request body")]
    BodyMalformed,
    /// The settings have no such application.
    #[error("unknown application")]
    UnknownApplication,
    /// The application has another version.
    #[error("unknown version {0}")]
    UnknownVersion(String),
    /// `X-Client-State` is malformed.
    #[error(transparent)]
    ClientState(#[from] InvalidClientState),
    /// There is no `Authorization`, or it is a single word.
    #[error("no credentials")]
    NoCredentials,
    /// The `Authorization` is of a kind that is not served here; the one that is.
    #[error("unsupported scheme")]
    UnsupportedScheme(&'static str),
    /// The assertion was refused.
    #[error(transparent)]
    Assertion(#[from] Rejection),
    /// The Bearer token was refused.
    #[error(transparent)]
    Jwt(#[from] JwtRejection),
    /// The token's issuer refuses it.
    #[error("the issuer refuses the token")]
    RemoteRefusal,
    /// The token lacks a scope.
    #[error("the token lacks a scope")]
    Scope,
    /// A claim of the token is not as its issuer's settings ask for.
    #[error("the token lacks a claim")]
    Claim,
    /// The token names no user, or one whose name cannot be used.
    #[error("the token names no user")]
    Subject,
    /// The lists of users keep the user out.
    #[error("the lists of users keep the user out")]
    NotAdmitted,
    /// The issuer's keys are not known, and it cannot be asked.
    #[error("the issuer of tokens: {0}")]
    Keys(OutboundError),
    /// `X-KeyID` is malformed.
    #[error("malformed key id")]
    KeyId,
    /// `X-KeyID` and `X-Client-State` contradict each other.
    #[error("the client state is not that of the key id")]
    ClientStateMismatch,
    /// What was shown made the worker fail: it is refused like anything else that cannot be verified.
    #[error("the credentials could not be verified: {0}")]
    Unverifiable(ExecuteError),
    /// The session that the assertion was made in is not a verified one.
    #[error("unverified session")]
    UnverifiedSession,
    /// The issuer's `fxa-generation` is not a number.
    #[error("generation is not a number")]
    GenerationClaim,
    /// The issuer's `fxa-keysChangedAt` is not a number.
    #[error("keysChangedAt is not a number")]
    KeysChangedAtClaim,
    /// The account's record says no.
    #[error(transparent)]
    User(#[from] Refusal),
    /// The table of services has no row for the application.
    #[error("no endpoint pattern for {0}")]
    UnknownPattern(String),
    /// The database failed or has no place.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The workers did not do a job.
    #[error("job: {0}")]
    Job(#[from] ExecuteError),
    /// The deadline passed.
    #[error("deadline exceeded")]
    Deadline,
    /// Somebody asked for a failure.
    #[error("a failure that was asked for")]
    OnPurpose,
    /// A fault of this server.
    #[error("{0}")]
    Internal(&'static str),
}

impl Failure {
    /// A stable name for logs and metrics.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::HeadTooLarge => "head-too-large",
            Self::BodyTooLarge => "body-too-large",
            Self::BodyTooSlow => "body-too-slow",
            Self::BodyMalformed => "malformed-body",
            Self::UnknownApplication => "unknown-application",
            Self::UnknownVersion(_) => "unknown-version",
            Self::ClientState(_) => "malformed-client-state",
            Self::NoCredentials => "no-credentials",
            Self::UnsupportedScheme(_) => "unsupported-scheme",
            Self::Assertion(rejection) => rejection.code(),
            Self::Jwt(rejection) => rejection.code(),
            Self::RemoteRefusal => "refused-by-issuer",
            Self::Scope => "scope",
            Self::Claim => "claim",
            Self::Subject | Self::Store(StoreError::Unwritable(_)) => "subject",
            Self::NotAdmitted => "not-admitted",
            Self::Keys(_) => "issuer-unavailable",
            Self::KeyId => "malformed-key-id",
            Self::ClientStateMismatch => "client-state-mismatch",
            Self::Unverifiable(error) | Self::Job(error) => error.code(),
            Self::UnverifiedSession => "unverified-session",
            Self::GenerationClaim => "generation-claim",
            Self::KeysChangedAtClaim => "keys-changed-at-claim",
            Self::User(Refusal::NewUsersDisabled) => "new-users-disabled",
            Self::User(Refusal::Generation) => "generation-behind",
            Self::User(Refusal::KeysChangedAt) => "keys-changed-at-behind",
            Self::User(Refusal::ClientState(_)) => "client-state-refused",
            Self::UnknownPattern(_) => "unknown-pattern",
            Self::Store(StoreError::NoNode) => "no-node",
            Self::Store(StoreError::RetiredWithoutNode) => "retired-without-node",
            Self::Store(_) => "database",
            Self::Deadline => "deadline",
            Self::OnPurpose => "on-purpose",
            Self::Internal(_) => "internal",
        }
    }
}
