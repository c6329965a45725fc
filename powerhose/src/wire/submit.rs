//! SUBMIT: the one command with something between header and body.

use std::fmt;

use bytes::Bytes;

use super::control::is_service_name;
use super::error::WireError;
use super::header::{Command, Header};
use super::limits::MAX_SERVICE_NAME;

/// The options of a SUBMIT, in the header's code field.
const AT_MOST_ONCE: u16 = 0x01;
const ATTEMPT_TIMEOUT: u16 = 0x02;

/// The length of an attempt timeout in the prefix.
const TIMEOUT_LEN: usize = 4;

/// The name of a service: at most 64 letters, digits, dots, dashes and underscores. The default service has the empty one.
///
/// It shares the memory of the frame that it came in.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct ServiceName(Bytes);

impl ServiceName {
    /// Checks a name; `None` if it is not allowed.
    pub fn new(name: impl Into<Bytes>) -> Option<Self> {
        let name = name.into();
        let text = std::str::from_utf8(&name).ok()?;
        is_service_name(text).then_some(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0)
            .unwrap_or_else(|error| unreachable!("only ASCII was let in: {error}"))
    }
}

impl fmt::Debug for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// A job as a client hands it to a master; protocol.md, section "SUBMIT".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// The client's number for the job, from 1, which rises within a session.
    pub sequence: u64,
    /// What is left of the job's time, in milliseconds.
    pub budget_ms: u32,
    /// The most attempts; at least 1.
    pub attempts: u8,
    /// Whether the job must not be started twice.
    pub at_most_once: bool,
    /// How long one attempt may take before the job is given to another worker, in milliseconds.
    pub attempt_timeout_ms: Option<u32>,
    /// The service that must do it.
    pub service: ServiceName,
    /// The payload.
    pub body: Bytes,
    /// Metadata for the worker.
    pub metadata: Option<Bytes>,
}

impl Submit {
    pub(super) fn header(&self, session: u64) -> Header {
        let option = |set: bool, option: u16| if set { option } else { 0 };
        Header {
            attempt: self.attempts,
            time: self.budget_ms,
            job: self.sequence,
            service: u16::try_from(self.service.0.len()).unwrap_or(u16::MAX),
            code: option(self.at_most_once, AT_MOST_ONCE)
                | option(self.attempt_timeout_ms.is_some(), ATTEMPT_TIMEOUT),
            ..Header::new(Command::Submit, session)
        }
    }

    pub(super) fn write_prefix(&self, first: &mut Vec<u8>) {
        if let Some(timeout) = self.attempt_timeout_ms {
            first.extend_from_slice(&timeout.to_be_bytes());
        }
        first.extend_from_slice(&self.service.0);
    }

    pub(super) fn decode(
        header: &Header,
        mut prefix: Bytes,
        body: Bytes,
        metadata: Option<Bytes>,
    ) -> Result<Self, WireError> {
        if header.attempt == 0 {
            return Err(WireError::Field {
                field: "attempt",
                why: "a job needs at least one".into(),
            });
        }
        if header.job == 0 {
            return Err(WireError::Field {
                field: "job",
                why: "jobs count from 1".into(),
            });
        }
        let attempt_timeout_ms = match prefix.first_chunk::<TIMEOUT_LEN>() {
            Some(timeout) if header.code & ATTEMPT_TIMEOUT != 0 => {
                let timeout = u32::from_be_bytes(*timeout);
                prefix = prefix.split_off(TIMEOUT_LEN);
                Some(timeout)
            }
            _ => None,
        };
        let service = ServiceName::new(prefix).ok_or_else(|| WireError::Field {
            field: "service",
            why: "it is not the name of a service".into(),
        })?;
        Ok(Self {
            sequence: header.job,
            budget_ms: header.time,
            attempts: header.attempt,
            at_most_once: header.code & AT_MOST_ONCE != 0,
            attempt_timeout_ms,
            service,
            body,
            metadata,
        })
    }
}

/// How many bytes stand between the header of a SUBMIT and its body.
///
/// # Errors
/// [`WireError::Field`] if the name is too long or an option is not known.
pub(super) fn prefix_len(header: &Header) -> Result<usize, WireError> {
    if header.code & !(AT_MOST_ONCE | ATTEMPT_TIMEOUT) != 0 {
        return Err(WireError::Field {
            field: "code",
            why: format!("{:#06x} holds options that are not known", header.code),
        });
    }
    let name = usize::from(header.service);
    if name > MAX_SERVICE_NAME {
        return Err(WireError::Field {
            field: "service",
            why: format!("a name has at most {MAX_SERVICE_NAME} bytes"),
        });
    }
    let timeout = if header.code & ATTEMPT_TIMEOUT != 0 {
        TIMEOUT_LEN
    } else {
        0
    };
    Ok(timeout + name)
}
