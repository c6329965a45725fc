//! The JSON bodies of the control commands. Members that a receiver doesn't know are ignored.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::WireError;
use super::limits::{
    MAX_LABEL, MAX_RUNNING, MAX_SERVICE_NAME, MAX_SERVICES, MAX_SLOTS, MAX_SOCKET_PATH,
};

/// The body of REGISTER.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// The services that the worker offers; their order gives them the index that JOB names. The default service is
    /// the empty name.
    #[serde(default = "default_services")]
    pub services: Vec<String>,
    /// How many jobs the worker works on at the same time.
    #[serde(default = "default_slots")]
    pub slots: u16,
    /// The worker's process id on its host.
    #[serde(default)]
    pub pid: u32,
    /// The name of the worker's host.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// The implementation, as `name/version`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub implementation: String,
    /// The path of the worker's own socket, for a worker that wants its jobs there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// With a session to resume: the attempts that the worker still holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub running: Vec<RunningJob>,
}

/// An attempt that a resuming worker still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningJob {
    /// The job, as a decimal string: not every JSON reader keeps 64 bits of a number.
    #[serde(with = "decimal")]
    pub job: u64,
    /// The number of the attempt, from 1.
    pub attempt: u8,
}

/// The body of REGISTERED: the terms of the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// How often the worker pings, in milliseconds; at least 1.
    pub heartbeat_ms: u32,
    /// After how many silent intervals the other side counts as lost; at least 1.
    pub misses: u32,
    /// The largest body of a job or a result, in bytes.
    pub max_body: u64,
    /// The implementation of the master, as `name/version`.
    #[serde(default)]
    pub implementation: String,
}

/// The body of OPEN.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Open {
    /// The client's process id on its host.
    #[serde(default)]
    pub pid: u32,
    /// The name of the client's host.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// The implementation, as `name/version`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub implementation: String,
    /// With a session to resume: how many REPLYs the client has received in it, as a decimal string.
    #[serde(default, with = "decimal", skip_serializing_if = "is_zero")]
    pub received: u64,
}

/// The body of OPENED: the terms of the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// How often the client pings, in milliseconds; at least 1.
    pub heartbeat_ms: u32,
    /// After how many silent intervals the other side counts as lost; at least 1.
    pub misses: u32,
    /// The largest payload or result, in bytes.
    pub max_body: u64,
    /// How long the session outlives its connection, in milliseconds.
    pub grace_ms: u32,
    /// The most jobs of this client that have not been replied to; at least 1.
    pub max_jobs: u32,
    /// The most bytes of their payloads.
    pub max_bytes: u64,
    /// The highest number of a job that the master has received in this session, as a decimal string; 0 if none.
    #[serde(default, with = "decimal")]
    pub submitted: u64,
    /// The implementation of the master, as `name/version`.
    #[serde(default)]
    pub implementation: String,
}

/// The body of REJECTED.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// What was wrong, for a person to read.
    pub message: String,
    /// The versions that the master speaks.
    #[serde(default)]
    pub versions: Vec<u8>,
}

fn default_services() -> Vec<String> {
    vec![String::new()]
}

fn default_slots() -> u16 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

mod decimal {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Register {
    /// Checks what JSON cannot: the limits of protocol.md.
    fn check(self) -> Result<Self, WireError> {
        if self.services.is_empty() || self.services.len() > MAX_SERVICES {
            return invalid("services", format!("1 to {MAX_SERVICES} names are allowed"));
        }
        for (index, name) in self.services.iter().enumerate() {
            if !is_service_name(name) {
                return invalid("services", format!("{name:?} is not a name of a service"));
            }
            if self.services[..index].contains(name) {
                return invalid("services", format!("{name:?} is named twice"));
            }
        }
        if self.slots == 0 || self.slots > MAX_SLOTS {
            return invalid("slots", format!("1 to {MAX_SLOTS} are allowed"));
        }
        if self.running.len() > MAX_RUNNING {
            return invalid(
                "running",
                format!("at most {MAX_RUNNING} jobs may be listed"),
            );
        }
        if self.running.iter().any(|running| running.attempt == 0) {
            return invalid("running", "attempts count from 1".into());
        }
        check_labels(&self.host, &self.implementation)?;
        match &self.socket {
            Some(path) if path.is_empty() || path.len() > MAX_SOCKET_PATH => invalid(
                "socket",
                format!("a path of 1 to {MAX_SOCKET_PATH} bytes is allowed"),
            ),
            _ => Ok(self),
        }
    }
}

impl Registered {
    fn check(self) -> Result<Self, WireError> {
        check_positive("heartbeat_ms", self.heartbeat_ms)?;
        check_positive("misses", self.misses)?;
        Ok(self)
    }
}

impl Open {
    fn check(self) -> Result<Self, WireError> {
        check_labels(&self.host, &self.implementation)?;
        Ok(self)
    }
}

impl Opened {
    fn check(self) -> Result<Self, WireError> {
        check_positive("heartbeat_ms", self.heartbeat_ms)?;
        check_positive("misses", self.misses)?;
        check_positive("max_jobs", self.max_jobs)?;
        Ok(self)
    }
}

fn check_labels(host: &str, implementation: &str) -> Result<(), WireError> {
    for (field, label) in [("host", host), ("implementation", implementation)] {
        if label.len() > MAX_LABEL {
            return invalid(field, format!("at most {MAX_LABEL} bytes are allowed"));
        }
    }
    Ok(())
}

fn check_positive(field: &'static str, number: u32) -> Result<(), WireError> {
    if number == 0 {
        return invalid(field, "at least 1 is allowed".into());
    }
    Ok(())
}

fn invalid<T>(field: &'static str, why: String) -> Result<T, WireError> {
    Err(WireError::Field { field, why })
}

/// Whether `name` may name a service: at most 64 letters, digits, dots, dashes and underscores; empty is the default one.
pub(crate) fn is_service_name(name: &str) -> bool {
    name.len() <= MAX_SERVICE_NAME
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

pub(super) fn encode<T: Serialize>(body: &T) -> Bytes {
    // These structs have string keys and no fallible serializer, so this cannot fail.
    Bytes::from(serde_json::to_vec(body).unwrap_or_default())
}

pub(super) fn decode_register(body: &[u8]) -> Result<Register, WireError> {
    decode::<Register>("REGISTER body", body)?.check()
}

pub(super) fn decode_registered(body: &[u8]) -> Result<Registered, WireError> {
    decode::<Registered>("REGISTERED body", body)?.check()
}

pub(super) fn decode_open(body: &[u8]) -> Result<Open, WireError> {
    decode::<Open>("OPEN body", body)?.check()
}

pub(super) fn decode_opened(body: &[u8]) -> Result<Opened, WireError> {
    decode::<Opened>("OPENED body", body)?.check()
}

pub(super) fn decode_rejection(body: &[u8]) -> Result<Rejection, WireError> {
    decode("REJECTED body", body)
}

fn decode<T: DeserializeOwned>(field: &'static str, body: &[u8]) -> Result<T, WireError> {
    // serde would read an array as the members in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return invalid(field, "it is not a JSON object".into());
    }
    serde_json::from_slice(body).map_err(|error| WireError::Field {
        field,
        why: error.to_string(),
    })
}
