//! At a limit a message is accepted, above it refused.

use bytes::Bytes;
use powerhose::wire::limits::{
    INLINE_BODY, MAX_CONTROL_BODY, MAX_FRAMES, MAX_LABEL, MAX_METADATA, MAX_RUNNING,
    MAX_SERVICE_NAME, MAX_SERVICES, MAX_SLOTS, MAX_SOCKET_PATH,
};
use powerhose::wire::{
    FromWorker, HEADER_LEN, JobKey, Register, ResultCode, RunningJob, ToWorker, WireError,
};

use crate::support::{Message, hex};

fn register() -> Register {
    Register {
        services: vec![String::new()],
        slots: 1,
        pid: 0,
        host: String::new(),
        implementation: String::new(),
        socket: None,
        running: Vec::new(),
    }
}

fn check(register: Register) -> Result<(), WireError> {
    let message = Message::FromWorker(FromWorker::Register {
        session: 0,
        register,
    });
    let frames = message.clone().encode();
    message.decode_alike(&frames).map(|_| ())
}

#[track_caller]
fn refused_field(register: Register, expected: &str) {
    match check(register) {
        Err(WireError::Field { field, .. }) => assert_eq!(field, expected),
        other => panic!("{expected} above its limit gives {other:?}"),
    }
}

fn with_services(services: Vec<String>) -> Register {
    Register {
        services,
        ..register()
    }
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

fn running(count: usize) -> Vec<RunningJob> {
    vec![
        RunningJob {
            job: u64::MAX,
            attempt: u8::MAX,
        };
        count
    ]
}

#[test]
fn services() {
    assert_eq!(check(with_services(numbered(MAX_SERVICES))), Ok(()));
    refused_field(with_services(numbered(MAX_SERVICES + 1)), "services");
    refused_field(with_services(Vec::new()), "services");
}

#[test]
fn names_of_services() {
    let name = |len| with_services(vec!["n".repeat(len)]);
    assert_eq!(check(name(MAX_SERVICE_NAME)), Ok(()));
    refused_field(name(MAX_SERVICE_NAME + 1), "services");
}

#[test]
fn slots() {
    let slots = |slots| Register {
        slots,
        ..register()
    };
    assert_eq!(check(slots(MAX_SLOTS)), Ok(()));
    refused_field(slots(MAX_SLOTS + 1), "slots");
    refused_field(slots(0), "slots");
}

#[test]
fn labels() {
    let host = |len| Register {
        host: "h".repeat(len),
        ..register()
    };
    assert_eq!(check(host(MAX_LABEL)), Ok(()));
    refused_field(host(MAX_LABEL + 1), "host");
    let implementation = |len| Register {
        implementation: "i".repeat(len),
        ..register()
    };
    assert_eq!(check(implementation(MAX_LABEL)), Ok(()));
    refused_field(implementation(MAX_LABEL + 1), "implementation");
}

#[test]
fn the_path_of_an_own_socket() {
    let socket = |len| Register {
        socket: Some("s".repeat(len)),
        ..register()
    };
    assert_eq!(check(socket(MAX_SOCKET_PATH)), Ok(()));
    refused_field(socket(MAX_SOCKET_PATH + 1), "socket");
    refused_field(socket(0), "socket");
}

#[test]
fn running_jobs() {
    let held = |count| Register {
        running: running(count),
        ..register()
    };
    assert_eq!(check(held(MAX_RUNNING)), Ok(()));
    refused_field(held(MAX_RUNNING + 1), "running");
}

#[test]
fn the_largest_registration_fits_into_a_control_body() {
    let name = |number: usize| format!("{number:n>MAX_SERVICE_NAME$}");
    // JSON writes a control character as six.
    let widest = |len: usize| "\u{1}".repeat(len);
    let largest = Register {
        services: (0..MAX_SERVICES).map(name).collect(),
        slots: MAX_SLOTS,
        pid: u32::MAX,
        host: widest(MAX_LABEL),
        implementation: widest(MAX_LABEL),
        socket: Some(widest(MAX_SOCKET_PATH)),
        running: running(MAX_RUNNING),
    };
    assert_eq!(check(largest), Ok(()));
}

#[test]
fn control_bodies() {
    let header = hex("01 01 02 00 00000000 0000000000000000 0000000000000000 0000 0000");
    let padded = |len: usize| {
        let mut body = b"{}".to_vec();
        body.resize(len, b' ');
        // The limit of jobs and results is another one.
        FromWorker::decode(&mut [header.clone(), body.into()], 0)
    };
    assert!(padded(MAX_CONTROL_BODY).is_ok());
    let error = padded(MAX_CONTROL_BODY + 1).expect_err("one byte more");
    assert_eq!(
        error,
        WireError::TooLarge {
            part: "control body",
            len: MAX_CONTROL_BODY + 1,
            limit: MAX_CONTROL_BODY
        }
    );
}

#[test]
fn bodies_of_jobs_and_results() {
    let key = JobKey { job: 1, attempt: 1 };
    let result = |body: Bytes| {
        Message::FromWorker(FromWorker::Result {
            session: 1,
            key,
            code: ResultCode::Ok,
            elapsed_us: 0,
            body,
        })
    };
    let job = |body: Bytes| {
        Message::ToWorker(ToWorker::Job {
            session: 1,
            key,
            service: 0,
            budget_ms: 1,
            body,
            metadata: None,
        })
    };
    // In the header's frame and in a frame of its own.
    for limit in [0, 10, INLINE_BODY + 10] {
        for len in [limit, limit + 1] {
            let body = Bytes::from(vec![7; len]);
            let outcomes = [
                FromWorker::decode(&mut result(body.clone()).encode(), limit).map(|_| ()),
                ToWorker::decode(&mut job(body).encode(), limit).map(|_| ()),
            ];
            let part = "body";
            let expected = if len > limit {
                Err(WireError::TooLarge { part, len, limit })
            } else {
                Ok(())
            };
            assert_eq!(outcomes, [expected.clone(), expected]);
        }
    }
}

#[test]
fn metadata() {
    let header = hex("01 05 04 01 00000001 0000000000000001 0000000000000001 0000 0000");
    let job = |len: usize| {
        let metadata = Bytes::from(vec![0; len]);
        ToWorker::decode(&mut [header.clone(), metadata], 0)
    };
    assert!(job(MAX_METADATA).is_ok());
    assert!(job(MAX_METADATA + 1).is_err());
}

#[test]
fn the_edge_between_a_body_in_the_headers_frame_and_one_in_its_own() {
    let frames = |len: usize| {
        Message::FromWorker(FromWorker::Result {
            session: 1,
            key: JobKey { job: 1, attempt: 1 },
            code: ResultCode::Ok,
            elapsed_us: 0,
            body: vec![7; len].into(),
        })
        .encode()
        .iter()
        .map(Bytes::len)
        .collect::<Vec<_>>()
    };
    assert_eq!(frames(INLINE_BODY), [HEADER_LEN + INLINE_BODY]);
    assert_eq!(frames(INLINE_BODY + 1), [HEADER_LEN, INLINE_BODY + 1]);
}

#[test]
fn the_longest_message_has_as_many_frames_as_the_limit_says() {
    let longest = Message::ToWorker(ToWorker::Job {
        session: 1,
        key: JobKey { job: 1, attempt: 1 },
        service: 0,
        budget_ms: 1,
        body: vec![7; INLINE_BODY + 1].into(),
        metadata: Some(Bytes::new()),
    });
    assert_eq!(longest.encode().len(), MAX_FRAMES);
}
