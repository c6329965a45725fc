//! The golden frames that all implementations share: `tests/vectors/wire`.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use powerhose::Started;
use powerhose::wire::{
    CancelReason, DisconnectReason, FromClient, FromWorker, HEADER_LEN, JobKey, Open, Opened,
    OutcomeCode, Register, Registered, RejectReason, Rejection, Reply, ResultCode, RunningJob,
    ServiceName, Submit, ToClient, ToWorker,
};
use serde::Deserialize;

use crate::support::{Message, from_client, from_worker, hex, to_client, to_worker};

#[derive(Deserialize)]
struct Messages {
    messages: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    direction: Direction,
    command: String,
    fields: Fields,
    frames: Vec<String>,
    #[serde(default = "canonical")]
    canonical: bool,
}

fn canonical() -> bool {
    true
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
enum Direction {
    WorkerToMaster,
    MasterToWorker,
    ClientToMaster,
    MasterToClient,
}

/// The fields of all commands; each has its own.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    session: String,
    job: String,
    attempt: u8,
    service: Service,
    budget_ms: u32,
    elapsed_us: u32,
    body: String,
    metadata: Option<String>,
    result: String,
    reason: String,
    message: String,
    versions: Vec<u8>,
    heartbeat_ms: u32,
    misses: u32,
    max_body: u64,
    implementation: String,
    services: Vec<String>,
    slots: u16,
    pid: u32,
    host: String,
    socket: Option<String>,
    running: Vec<RunningJob>,
    received: String,
    submitted: String,
    grace_ms: u32,
    max_jobs: u32,
    max_bytes: u64,
    attempts: u8,
    at_most_once: bool,
    attempt_timeout_ms: Option<u32>,
    outcome: String,
    started: String,
    detail: u32,
}

/// The fields whose type depends on the command.
#[derive(Deserialize)]
#[serde(untagged)]
enum Service {
    Index(u16),
    Name(String),
}

impl Default for Service {
    fn default() -> Self {
        Self::Index(0)
    }
}

#[derive(Deserialize)]
struct Refused {
    refused: Vec<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    name: String,
    direction: Direction,
    error: String,
    frames: Vec<String>,
}

fn read<T: for<'de> Deserialize<'de>>(file: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/vectors/wire")
        .join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn frames(hexes: &[String]) -> Vec<Bytes> {
    hexes.iter().map(|text| hex(text)).collect()
}

fn number(decimal: &str) -> u64 {
    decimal.parse().expect("a decimal number")
}

fn named<T: Copy>(all: &[T], name_of: impl Fn(T) -> &'static str, name: &str) -> T {
    *(all.iter())
        .find(|code| name_of(**code) == name)
        .unwrap_or_else(|| panic!("no code has the name {name:?}"))
}

impl Vector {
    /// The message that the fields describe.
    fn message(&self) -> Message {
        match self.direction {
            Direction::WorkerToMaster => Message::FromWorker(self.by_worker()),
            Direction::MasterToWorker => Message::ToWorker(self.for_worker()),
            Direction::ClientToMaster => Message::FromClient(self.by_client()),
            Direction::MasterToClient => Message::ToClient(self.for_client()),
        }
    }

    fn session(&self) -> u64 {
        number(&self.fields.session)
    }

    fn job(&self) -> u64 {
        number(&self.fields.job)
    }

    fn key(&self) -> JobKey {
        JobKey {
            job: self.job(),
            attempt: self.fields.attempt,
        }
    }

    fn disconnect(&self) -> DisconnectReason {
        let all = DisconnectReason::ALL;
        named(all, DisconnectReason::name, &self.fields.reason)
    }

    fn rejected(&self) -> (RejectReason, Rejection) {
        let reason = named(RejectReason::ALL, RejectReason::name, &self.fields.reason);
        let rejection = Rejection {
            message: self.fields.message.clone(),
            versions: self.fields.versions.clone(),
        };
        (reason, rejection)
    }

    fn metadata(&self) -> Option<Bytes> {
        self.fields.metadata.as_deref().map(hex)
    }

    fn by_worker(&self) -> FromWorker {
        let fields = &self.fields;
        let session = self.session();
        match self.command.as_str() {
            "REGISTER" => FromWorker::Register {
                session,
                register: Register {
                    services: fields.services.clone(),
                    slots: fields.slots,
                    pid: fields.pid,
                    host: fields.host.clone(),
                    implementation: fields.implementation.clone(),
                    socket: fields.socket.clone(),
                    running: fields.running.clone(),
                },
            },
            "HEARTBEAT" => FromWorker::Heartbeat { session },
            "RESULT" => FromWorker::Result {
                session,
                key: self.key(),
                code: named(ResultCode::ALL, ResultCode::name, &fields.result),
                elapsed_us: fields.elapsed_us,
                body: hex(&fields.body),
            },
            "DRAIN" => FromWorker::Drain { session },
            "DISCONNECT" => FromWorker::Disconnect {
                session,
                reason: self.disconnect(),
            },
            other => panic!("workers do not send {other}"),
        }
    }

    fn for_worker(&self) -> ToWorker {
        let fields = &self.fields;
        let session = self.session();
        match self.command.as_str() {
            "REGISTERED" => ToWorker::Registered {
                session,
                terms: Registered {
                    heartbeat_ms: fields.heartbeat_ms,
                    misses: fields.misses,
                    max_body: fields.max_body,
                    implementation: fields.implementation.clone(),
                },
            },
            "REJECTED" => {
                let (reason, rejection) = self.rejected();
                ToWorker::Rejected {
                    session,
                    reason,
                    rejection,
                }
            }
            "HEARTBEAT" => ToWorker::Heartbeat { session },
            "JOB" => ToWorker::Job {
                session,
                key: self.key(),
                service: match fields.service {
                    Service::Index(index) => index,
                    Service::Name(ref name) => panic!("JOB names the service {name:?}"),
                },
                budget_ms: fields.budget_ms,
                body: hex(&fields.body),
                metadata: self.metadata(),
            },
            "CANCEL" => ToWorker::Cancel {
                session,
                key: self.key(),
                reason: named(CancelReason::ALL, CancelReason::name, &fields.reason),
            },
            "DRAIN" => ToWorker::Drain { session },
            "DISCONNECT" => ToWorker::Disconnect {
                session,
                reason: self.disconnect(),
            },
            other => panic!("masters do not send {other} to workers"),
        }
    }

    fn by_client(&self) -> FromClient {
        let fields = &self.fields;
        let session = self.session();
        match self.command.as_str() {
            "OPEN" => FromClient::Open {
                session,
                open: Open {
                    pid: fields.pid,
                    host: fields.host.clone(),
                    implementation: fields.implementation.clone(),
                    received: number(&fields.received),
                },
            },
            "HEARTBEAT" => FromClient::Heartbeat {
                session,
                received: number(&fields.received),
            },
            "SUBMIT" => FromClient::Submit {
                session,
                submit: Submit {
                    sequence: self.job(),
                    budget_ms: fields.budget_ms,
                    attempts: fields.attempts,
                    at_most_once: fields.at_most_once,
                    attempt_timeout_ms: fields.attempt_timeout_ms,
                    service: match fields.service {
                        Service::Name(ref name) => ServiceName::new(name.clone()).expect("a name"),
                        Service::Index(index) => panic!("SUBMIT counts services: {index}"),
                    },
                    body: hex(&fields.body),
                    metadata: self.metadata(),
                },
            },
            "WITHDRAW" => FromClient::Withdraw {
                session,
                sequence: self.job(),
            },
            "DISCONNECT" => FromClient::Disconnect {
                session,
                reason: self.disconnect(),
            },
            "STATUS" => FromClient::Status,
            other => panic!("clients do not send {other}"),
        }
    }

    fn for_client(&self) -> ToClient {
        let fields = &self.fields;
        let session = self.session();
        match self.command.as_str() {
            "OPENED" => ToClient::Opened {
                session,
                terms: Opened {
                    heartbeat_ms: fields.heartbeat_ms,
                    misses: fields.misses,
                    max_body: fields.max_body,
                    grace_ms: fields.grace_ms,
                    max_jobs: fields.max_jobs,
                    max_bytes: fields.max_bytes,
                    submitted: number(&fields.submitted),
                    implementation: fields.implementation.clone(),
                },
            },
            "REJECTED" => {
                let (reason, rejection) = self.rejected();
                ToClient::Rejected {
                    session,
                    reason,
                    rejection,
                }
            }
            "HEARTBEAT" => ToClient::Heartbeat { session },
            "REPLY" => ToClient::Reply {
                session,
                reply: Reply {
                    sequence: self.job(),
                    code: named(OutcomeCode::ALL, OutcomeCode::name, &fields.outcome),
                    started: match fields.started.as_str() {
                        "no" => Started::No,
                        "maybe" => Started::Maybe,
                        "finished" => Started::Finished,
                        other => panic!("{other:?} is not in the table"),
                    },
                    attempts: fields.attempts,
                    detail: fields.detail,
                    body: hex(&fields.body),
                },
            },
            "DRAIN" => ToClient::Drain { session },
            "DISCONNECT" => ToClient::Disconnect {
                session,
                reason: self.disconnect(),
            },
            "REPORT" => ToClient::Report {
                body: hex(&fields.body),
            },
            other => panic!("masters do not send {other} to clients"),
        }
    }
}

#[test]
fn messages_are_read() {
    for vector in read::<Messages>("messages.json").messages {
        let expected = vector.message();
        assert_eq!(
            expected.decode_alike(&frames(&vector.frames)),
            Ok(expected),
            "{}",
            vector.name
        );
    }
}

#[test]
fn canonical_messages_are_written() {
    for vector in read::<Messages>("messages.json").messages {
        if !vector.canonical {
            continue;
        }
        let (written, expected) = (vector.message().encode(), frames(&vector.frames));
        if matches!(
            &*vector.command,
            "REGISTER" | "REGISTERED" | "REJECTED" | "OPEN" | "OPENED"
        ) {
            // Others may order the members of the JSON differently.
            let [written, expected] = [&written, &expected].map(|frames| {
                assert_eq!(frames.len(), 1, "{}", vector.name);
                let (header, body) = frames[0].split_at(HEADER_LEN);
                let body: serde_json::Value = serde_json::from_slice(body).expect("JSON");
                (header.to_vec(), body)
            });
            assert_eq!(written, expected, "{}", vector.name);
        } else {
            assert_eq!(written, expected, "{}", vector.name);
        }
    }
}

#[test]
fn what_is_no_message_is_refused() {
    for refusal in read::<Refused>("refused.json").refused {
        let frames = frames(&refusal.frames);
        let error = match refusal.direction {
            Direction::WorkerToMaster => from_worker(&frames).err(),
            Direction::MasterToWorker => to_worker(&frames).err(),
            Direction::ClientToMaster => from_client(&frames).err(),
            Direction::MasterToClient => to_client(&frames).err(),
        };
        let code = error.as_ref().map(powerhose::wire::WireError::code);
        assert_eq!(code, Some(refusal.error.as_str()), "{}", refusal.name);
    }
}

#[test]
fn the_vectors_cover_every_command_and_code() {
    let vectors = read::<Messages>("messages.json").messages;
    let has = |command: &str, code: &str| {
        let matches = |vector: &&Vector| {
            vector.command == command
                && [
                    &vector.fields.result,
                    &vector.fields.reason,
                    &vector.fields.outcome,
                ]
                .contains(&&code.to_owned())
        };
        assert!(
            vectors.iter().any(|vector| matches(&vector)),
            "no {command} {code}"
        );
    };
    for command in powerhose::wire::Command::ALL {
        let name = format!("{command:?}").to_uppercase();
        assert!(
            vectors.iter().any(|vector| vector.command == name),
            "no {name}"
        );
    }
    ResultCode::ALL
        .iter()
        .for_each(|code| has("RESULT", code.name()));
    RejectReason::ALL
        .iter()
        .for_each(|code| has("REJECTED", code.name()));
    CancelReason::ALL
        .iter()
        .for_each(|code| has("CANCEL", code.name()));
    DisconnectReason::ALL
        .iter()
        .for_each(|code| has("DISCONNECT", code.name()));
    OutcomeCode::ALL
        .iter()
        .for_each(|code| has("REPLY", code.name()));
}

#[test]
fn names_of_vectors_are_unique() {
    let mut seen = BTreeSet::new();
    for vector in read::<Messages>("messages.json").messages {
        assert!(seen.insert(vector.name.clone()), "{}", vector.name);
    }
    let mut seen = BTreeSet::new();
    for refusal in read::<Refused>("refused.json").refused {
        assert!(
            seen.insert((refusal.name.clone(), refusal.direction)),
            "{}",
            refusal.name
        );
    }
}
