//! What clients get to read instead of a token, in the words that Mozilla's clients know.

use std::{borrow::Cow, time::Duration};

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use crypto_jobs::RejectionClass;
use serde::Serialize;

use crate::{failure::Failure, store::StoreError, users::Refusal};

/// When to come back, where nothing better is known.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);

const UNAUTHORIZED: &str = "Unauthorized";

/// What the log says of a failure.
#[derive(Clone, Debug)]
pub(crate) struct Reason {
    /// The failure's stable name.
    pub(crate) code: &'static str,
    /// More about it, where it is the server's or the operator's.
    pub(crate) detail: Option<String>,
}

/// A status and a body, which is `{"status": .., "errors": [{"location", "name", "description"}]}`.
struct Answer<'a> {
    code: StatusCode,
    status: &'static str,
    error: Entry<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    status: &'static str,
    errors: [Entry<'a>; 1],
}

#[derive(Serialize)]
struct Entry<'a> {
    location: &'static str,
    name: &'a str,
    description: Cow<'a, str>,
}

impl<'a> Answer<'a> {
    fn body(code: StatusCode, status: &'static str, description: impl Into<Cow<'a, str>>) -> Self {
        Self::about("body", "", code, status, description)
    }

    fn url(code: StatusCode, name: &'a str, description: &'static str) -> Self {
        Self::about("url", name, code, "error", description)
    }

    fn client_state(
        code: StatusCode,
        status: &'static str,
        description: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self::about("header", "X-Client-State", code, status, description)
    }

    fn unauthorized(status: &'static str) -> Self {
        Self::body(StatusCode::UNAUTHORIZED, status, UNAUTHORIZED)
    }

    fn unavailable() -> Self {
        let code = StatusCode::SERVICE_UNAVAILABLE;
        Self::body(code, "error", "Resource is not available")
    }

    fn internal(code: StatusCode) -> Self {
        Self::about("internal", "", code, "internal-error", "Server error")
    }

    fn about(
        location: &'static str,
        name: &'a str,
        code: StatusCode,
        status: &'static str,
        description: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self {
            code,
            status,
            error: Entry {
                location,
                name,
                description: description.into(),
            },
        }
    }
}

impl<'a> From<&'a Failure> for Answer<'a> {
    /// The one table of answers.
    fn from(failure: &'a Failure) -> Self {
        use StatusCode as Code;

        match failure {
            Failure::NotFound => Self::url(Code::NOT_FOUND, "", "Not found"),
            Failure::MethodNotAllowed => {
                Self::url(Code::METHOD_NOT_ALLOWED, "", "Method not allowed")
            }
            Failure::HeadTooLarge => Self::about(
                "header",
                "",
                Code::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "error",
                "Request header fields too large",
            ),
            Failure::BodyTooLarge => {
                Self::body(Code::PAYLOAD_TOO_LARGE, "error", "Request body too large")
            }
            Failure::BodyTooSlow => {
                Self::body(Code::REQUEST_TIMEOUT, "error", "Request body too slow")
            }
            Failure::BodyMalformed => {
                Self::body(Code::BAD_REQUEST, "error", "Malformed request body")
            }
            Failure::UnknownApplication => {
                Self::url(Code::NOT_FOUND, "application", "Unsupported application")
            }
            Failure::UnknownVersion(version) => {
                Self::url(Code::NOT_FOUND, version, "Unsupported application version")
            }
            Failure::ClientState(_) => {
                Self::client_state(Code::BAD_REQUEST, "error", "Invalid client state value")
            }
            Failure::NoCredentials => Self::unauthorized("error"),
            Failure::UnsupportedScheme(_) => Self::body(Code::UNAUTHORIZED, "error", "Unsupported"),
            Failure::Assertion(rejection) => match rejection.class() {
                RejectionClass::Timestamp => Self::unauthorized("invalid-timestamp"),
                RejectionClass::Credentials => Self::unauthorized("invalid-credentials"),
                RejectionClass::Unavailable => Self::unavailable(),
            },
            Failure::Unverifiable(_)
            | Failure::UnverifiedSession
            | Failure::Jwt(_)
            | Failure::RemoteRefusal
            | Failure::Scope
            | Failure::Claim
            | Failure::Subject
            | Failure::Store(StoreError::Unwritable(_))
            | Failure::KeyId => Self::unauthorized("invalid-credentials"),
            Failure::ClientStateMismatch => Self::unauthorized("invalid-client-state"),
            Failure::GenerationClaim | Failure::User(Refusal::Generation) => {
                Self::unauthorized("invalid-generation")
            }
            Failure::KeysChangedAtClaim => Self::body(
                Code::UNAUTHORIZED,
                "invalid-credentials",
                "invalid keysChangedAt",
            ),
            Failure::NotAdmitted => Self::body(Code::FORBIDDEN, "error", "Not allowed"),
            Failure::User(Refusal::NewUsersDisabled) => Self::unauthorized("new-users-disabled"),
            Failure::User(Refusal::KeysChangedAt) => Self::unauthorized("invalid-keysChangedAt"),
            Failure::User(Refusal::ClientState(fault)) => Self::client_state(
                Code::UNAUTHORIZED,
                "invalid-client-state",
                format!("Unacceptable client-state value {}", fault.as_str()),
            ),
            Failure::UnknownPattern(service) => Self::body(
                Code::SERVICE_UNAVAILABLE,
                "error",
                format!("The api_endpoint pattern for '{service}' is not known"),
            ),
            Failure::Store(StoreError::NoNode) => Self::internal(Code::SERVICE_UNAVAILABLE),
            Failure::Store(StoreError::RetiredWithoutNode | StoreError::Unexpected(_))
            | Failure::OnPurpose
            | Failure::Internal(_) => Self::internal(Code::INTERNAL_SERVER_ERROR),
            Failure::Job(error) if !error.is_retryable() => {
                Self::internal(Code::INTERNAL_SERVER_ERROR)
            }
            Failure::Job(_) | Failure::Store(_) | Failure::Keys(_) | Failure::Deadline => {
                Self::unavailable()
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Answer {
            code,
            status,
            error,
        } = Answer::from(&self);
        let errors = [error];
        let mut response = (code, Json(Body { status, errors })).into_response();
        let headers = response.headers_mut();
        if let Self::UnsupportedScheme(supported) = self {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(supported));
        }
        if code == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_after(&self)));
        }
        response.extensions_mut().insert(Reason {
            code: self.code(),
            detail: code.is_server_error().then(|| self.to_string()),
        });
        response
    }
}

/// When to come back, in whole seconds rounded up: too early would be in vain.
fn retry_after(failure: &Failure) -> u64 {
    let known = match failure {
        Failure::Job(error) => error.retry_after(),
        _ => None,
    };
    let seconds = known
        .unwrap_or(DEFAULT_RETRY_AFTER)
        .as_millis()
        .div_ceil(1000);
    u64::try_from(seconds.max(1)).unwrap_or(u64::MAX)
}
