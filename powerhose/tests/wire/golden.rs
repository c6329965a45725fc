//! Bytes on the wire, one field a line.

use bytes::Bytes;
use powerhose::wire::{
    CancelReason, DisconnectReason, FromWorker, JobKey, Register, Registered, RejectReason,
    Rejection, ResultCode, RunningJob, ToWorker,
};

use crate::support::{Message, hex};

const SESSION: u64 = 0x5eed_0123_4567_89ab;
const KEY: JobKey = JobKey {
    job: 0x0000_0007_0000_0002,
    attempt: 3,
};

/// The message is written as these frames and read back from them.
fn golden(message: Message, frames: &[&[&str]]) {
    let frames: Vec<Bytes> = frames.iter().map(|lines| hex(&lines.concat())).collect();
    assert_eq!(message.decode_alike(&frames).as_ref(), Ok(&message));
    assert_eq!(message.encode(), frames);
}

fn ascii(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn register() {
    golden(
        Message::FromWorker(FromWorker::Register {
            session: 0,
            register: Register {
                services: vec!["square".into()],
                slots: 1,
                pid: 4711,
                host: "worker-1".into(),
                implementation: String::new(),
                socket: None,
                running: Vec::new(),
            },
        }),
        &[&[
            "01",               // version
            "01",               // command
            "01",               // flags: the body follows in this frame
            "00",               // attempt
            "00000000",         // time
            "0000000000000000", // session: none yet
            "0000000000000000", // job
            "0000",             // service
            "0000",             // code
            &ascii(r#"{"services":["square"],"slots":1,"pid":4711,"host":"worker-1"}"#),
        ]],
    );
}

#[test]
fn register_that_resumes() {
    golden(
        Message::FromWorker(FromWorker::Register {
            session: SESSION,
            register: Register {
                services: vec![String::new()],
                slots: 2,
                pid: 4711,
                host: String::new(),
                implementation: "example/1.0".into(),
                socket: Some("/run/powerhose/w1".into()),
                running: vec![RunningJob {
                    job: u64::MAX,
                    attempt: 3,
                }],
            },
        }),
        &[&[
            "01",               // version
            "01",               // command
            "01",               // flags: the body follows in this frame
            "00",               // attempt
            "00000000",         // time
            "5eed0123456789ab", // session to resume
            "0000000000000000", // job
            "0000",             // service
            "0000",             // code
            &ascii(r#"{"services":[""],"slots":2,"pid":4711,"implementation":"example/1.0","#),
            &ascii(r#""socket":"/run/powerhose/w1","#),
            &ascii(r#""running":[{"job":"18446744073709551615","attempt":3}]}"#),
        ]],
    );
}

#[test]
fn registered() {
    golden(
        Message::ToWorker(ToWorker::Registered {
            session: SESSION,
            terms: Registered {
                heartbeat_ms: 1000,
                misses: 3,
                max_body: 16_777_216,
                implementation: "example/1.0".into(),
            },
        }),
        &[&[
            "01",               // version
            "02",               // command
            "01",               // flags: the body follows in this frame
            "00",               // attempt
            "00000000",         // time
            "5eed0123456789ab", // session
            "0000000000000000", // job
            "0000",             // service
            "0000",             // code
            &ascii(r#"{"heartbeat_ms":1000,"misses":3,"max_body":16777216,"#),
            &ascii(r#""implementation":"example/1.0"}"#),
        ]],
    );
}

#[test]
fn rejected() {
    golden(
        Message::ToWorker(ToWorker::Rejected {
            session: SESSION,
            reason: RejectReason::UnknownSession,
            rejection: Rejection {
                message: "register again".into(),
                versions: vec![1],
            },
        }),
        &[&[
            "01",               // version
            "03",               // command
            "01",               // flags: the body follows in this frame
            "00",               // attempt
            "00000000",         // time
            "5eed0123456789ab", // session
            "0000000000000000", // job
            "0000",             // service
            "0003",             // code: unknown-session
            &ascii(r#"{"message":"register again","versions":[1]}"#),
        ]],
    );
}

#[test]
fn heartbeats() {
    let frame: &[&str] = &[
        "01",               // version
        "04",               // command
        "00",               // flags
        "00",               // attempt
        "00000000",         // time
        "5eed0123456789ab", // session
        "0000000000000000", // job
        "0000",             // service
        "0000",             // code
    ];
    let session = SESSION;
    golden(
        Message::FromWorker(FromWorker::Heartbeat { session }),
        &[frame],
    );
    golden(Message::ToWorker(ToWorker::Heartbeat { session }), &[frame]);
}

#[test]
fn job_with_a_small_body() {
    golden(
        Message::ToWorker(ToWorker::Job {
            session: SESSION,
            key: KEY,
            service: 1,
            budget_ms: 2000,
            body: Bytes::from_static(b"12"),
            metadata: None,
        }),
        &[&[
            "01",               // version
            "05",               // command
            "01",               // flags: the body follows in this frame
            "03",               // attempt
            "000007d0",         // time: budget in milliseconds
            "5eed0123456789ab", // session
            "0000000700000002", // job
            "0001",             // service
            "0000",             // code
            "3132",             // body
        ]],
    );
}

#[test]
fn job_with_a_large_body_and_metadata() {
    let body = Bytes::from(vec![0xaa; 1025]);
    golden(
        Message::ToWorker(ToWorker::Job {
            session: SESSION,
            key: KEY,
            service: 0,
            budget_ms: u32::MAX,
            body: body.clone(),
            metadata: Some(Bytes::from_static(b"trace")),
        }),
        &[
            &[
                "01",               // version
                "05",               // command
                "06",               // flags: the body is the next frame, metadata the last
                "03",               // attempt
                "ffffffff",         // time: budget in milliseconds
                "5eed0123456789ab", // session
                "0000000700000002", // job
                "0000",             // service
                "0000",             // code
            ],
            &["aa"; 1025],
            &["7472616365"],
        ],
    );
}

#[test]
fn job_without_a_body() {
    golden(
        Message::ToWorker(ToWorker::Job {
            session: SESSION,
            key: KEY,
            service: 0,
            budget_ms: 1,
            body: Bytes::new(),
            metadata: None,
        }),
        &[&[
            "01",               // version
            "05",               // command
            "00",               // flags
            "03",               // attempt
            "00000001",         // time: budget in milliseconds
            "5eed0123456789ab", // session
            "0000000700000002", // job
            "0000",             // service
            "0000",             // code
        ]],
    );
}

#[test]
fn result() {
    golden(
        Message::FromWorker(FromWorker::Result {
            session: SESSION,
            key: KEY,
            code: ResultCode::Failed,
            elapsed_us: 31,
            body: Bytes::from_static(b"no"),
        }),
        &[&[
            "01",               // version
            "06",               // command
            "01",               // flags: the body follows in this frame
            "03",               // attempt
            "0000001f",         // time: how long the handler ran, in microseconds
            "5eed0123456789ab", // session
            "0000000700000002", // job
            "0000",             // service
            "0001",             // code: failed
            "6e6f",             // body
        ]],
    );
}

#[test]
fn cancel() {
    golden(
        Message::ToWorker(ToWorker::Cancel {
            session: SESSION,
            key: KEY,
            reason: CancelReason::Recalled,
        }),
        &[&[
            "01",               // version
            "07",               // command
            "00",               // flags
            "03",               // attempt
            "00000000",         // time
            "5eed0123456789ab", // session
            "0000000700000002", // job
            "0000",             // service
            "0004",             // code: recalled
        ]],
    );
}

#[test]
fn drain() {
    let frame: &[&str] = &[
        "01",               // version
        "08",               // command
        "00",               // flags
        "00",               // attempt
        "00000000",         // time
        "5eed0123456789ab", // session
        "0000000000000000", // job
        "0000",             // service
        "0000",             // code
    ];
    let session = SESSION;
    golden(Message::FromWorker(FromWorker::Drain { session }), &[frame]);
    golden(Message::ToWorker(ToWorker::Drain { session }), &[frame]);
}

#[test]
fn disconnect() {
    let frame: &[&str] = &[
        "01",               // version
        "09",               // command
        "00",               // flags
        "00",               // attempt
        "00000000",         // time
        "5eed0123456789ab", // session
        "0000000000000000", // job
        "0000",             // service
        "0001",             // code: shutdown
    ];
    let session = SESSION;
    let reason = DisconnectReason::Shutdown;
    golden(
        Message::FromWorker(FromWorker::Disconnect { session, reason }),
        &[frame],
    );
    golden(
        Message::ToWorker(ToWorker::Disconnect { session, reason }),
        &[frame],
    );
}
