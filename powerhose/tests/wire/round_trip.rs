//! Every message survives the wire.

use bytes::Bytes;
use powerhose::Started;
use powerhose::wire::limits::{INLINE_BODY, MAX_LABEL, MAX_SERVICES, MAX_SLOTS, MAX_SOCKET_PATH};
use powerhose::wire::{
    CancelReason, DisconnectReason, FromClient, FromWorker, JobKey, Open, Opened, OutcomeCode,
    Register, Registered, RejectReason, Rejection, Reply, ResultCode, RunningJob, ServiceName,
    Submit, ToClient, ToWorker,
};
use proptest::collection::{hash_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::Message;

/// Sizes around the edge between a body in the header's frame and one in its own.
fn body() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        vec(any::<u8>(), 0..40),
        vec(any::<u8>(), INLINE_BODY - 2..INLINE_BODY + 3),
    ]
    .prop_map(Bytes::from)
}

fn key() -> impl Strategy<Value = JobKey> {
    (any::<u64>(), 1..=u8::MAX).prop_map(|(job, attempt)| JobKey { job, attempt })
}

fn label() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("labels are short", |text| text.len() <= MAX_LABEL)
}

fn running() -> impl Strategy<Value = Vec<RunningJob>> {
    let job = key().prop_map(|JobKey { job, attempt }| RunningJob { job, attempt });
    vec(job, 0..4)
}

fn register() -> impl Strategy<Value = Register> {
    let services = hash_set("[A-Za-z0-9._-]{0,64}", 1..=MAX_SERVICES)
        .prop_map(|names| names.into_iter().collect());
    let socket = "/[a-z/]{0,106}".prop_filter("paths are short", |path: &String| {
        path.len() <= MAX_SOCKET_PATH
    });
    (
        services,
        1..=MAX_SLOTS,
        any::<u32>(),
        label(),
        label(),
        option::of(socket),
        running(),
    )
        .prop_map(
            |(services, slots, pid, host, implementation, socket, running)| Register {
                services,
                slots,
                pid,
                host,
                implementation,
                socket,
                running,
            },
        )
}

fn disconnect_reason() -> impl Strategy<Value = DisconnectReason> {
    select(DisconnectReason::ALL)
}

pub(crate) fn from_worker() -> impl Strategy<Value = Message> {
    let result = (
        any::<u64>(),
        key(),
        select(ResultCode::ALL),
        any::<u32>(),
        body(),
    )
        .prop_map(
            |(session, key, code, elapsed_us, body)| FromWorker::Result {
                session,
                key,
                code,
                elapsed_us,
                body,
            },
        );
    prop_oneof![
        (any::<u64>(), register())
            .prop_map(|(session, register)| FromWorker::Register { session, register }),
        any::<u64>().prop_map(|session| FromWorker::Heartbeat { session }),
        result,
        any::<u64>().prop_map(|session| FromWorker::Drain { session }),
        (any::<u64>(), disconnect_reason())
            .prop_map(|(session, reason)| FromWorker::Disconnect { session, reason }),
    ]
    .prop_map(Message::FromWorker)
}

fn rejection() -> impl Strategy<Value = Rejection> {
    (any::<String>(), vec(any::<u8>(), 0..4))
        .prop_map(|(message, versions)| Rejection { message, versions })
}

pub(crate) fn to_worker() -> impl Strategy<Value = Message> {
    let terms = (1..=u32::MAX, 1..=u32::MAX, any::<u64>(), any::<String>()).prop_map(
        |(heartbeat_ms, misses, max_body, implementation)| Registered {
            heartbeat_ms,
            misses,
            max_body,
            implementation,
        },
    );
    let job = (
        any::<u64>(),
        key(),
        any::<u16>(),
        any::<u32>(),
        body(),
        option::of(body()),
    )
        .prop_map(
            |(session, key, service, budget_ms, body, metadata)| ToWorker::Job {
                session,
                key,
                service,
                budget_ms,
                body,
                metadata,
            },
        );
    prop_oneof![
        (1..=u64::MAX, terms).prop_map(|(session, terms)| ToWorker::Registered { session, terms }),
        (any::<u64>(), select(RejectReason::ALL), rejection()).prop_map(
            |(session, reason, rejection)| ToWorker::Rejected {
                session,
                reason,
                rejection,
            }
        ),
        any::<u64>().prop_map(|session| ToWorker::Heartbeat { session }),
        job,
        (any::<u64>(), key(), select(CancelReason::ALL)).prop_map(|(session, key, reason)| {
            ToWorker::Cancel {
                session,
                key,
                reason,
            }
        }),
        any::<u64>().prop_map(|session| ToWorker::Drain { session }),
        (any::<u64>(), disconnect_reason())
            .prop_map(|(session, reason)| ToWorker::Disconnect { session, reason }),
    ]
    .prop_map(Message::ToWorker)
}

fn submit() -> impl Strategy<Value = Submit> {
    (
        1..=u64::MAX,
        any::<u32>(),
        1..=u8::MAX,
        any::<bool>(),
        option::of(any::<u32>()),
        "[A-Za-z0-9._-]{0,64}",
        body(),
        option::of(body()),
    )
        .prop_map(
            |(
                sequence,
                budget_ms,
                attempts,
                at_most_once,
                attempt_timeout_ms,
                service,
                body,
                metadata,
            )| Submit {
                sequence,
                budget_ms,
                attempts,
                at_most_once,
                attempt_timeout_ms,
                service: ServiceName::new(service).expect("a name"),
                body,
                metadata,
            },
        )
}

pub(crate) fn from_client() -> impl Strategy<Value = Message> {
    let open = (any::<u32>(), label(), label(), any::<u64>()).prop_map(
        |(pid, host, implementation, received)| Open {
            pid,
            host,
            implementation,
            received,
        },
    );
    prop_oneof![
        (any::<u64>(), open).prop_map(|(session, open)| FromClient::Open { session, open }),
        (any::<u64>(), any::<u64>())
            .prop_map(|(session, received)| FromClient::Heartbeat { session, received }),
        (any::<u64>(), submit())
            .prop_map(|(session, submit)| FromClient::Submit { session, submit }),
        (any::<u64>(), any::<u64>())
            .prop_map(|(session, sequence)| FromClient::Withdraw { session, sequence }),
        (any::<u64>(), disconnect_reason())
            .prop_map(|(session, reason)| FromClient::Disconnect { session, reason }),
        Just(FromClient::Status),
    ]
    .prop_map(Message::FromClient)
}

fn opened() -> impl Strategy<Value = Opened> {
    (
        1..=u32::MAX,
        1..=u32::MAX,
        any::<u64>(),
        any::<u32>(),
        1..=u32::MAX,
        any::<u64>(),
        any::<u64>(),
        any::<String>(),
    )
        .prop_map(
            |(
                heartbeat_ms,
                misses,
                max_body,
                grace_ms,
                max_jobs,
                max_bytes,
                submitted,
                implementation,
            )| Opened {
                heartbeat_ms,
                misses,
                max_body,
                grace_ms,
                max_jobs,
                max_bytes,
                submitted,
                implementation,
            },
        )
}

fn reply() -> impl Strategy<Value = Reply> {
    let started = select(&[Started::No, Started::Maybe, Started::Finished][..]);
    (
        any::<u64>(),
        select(OutcomeCode::ALL),
        started,
        any::<u8>(),
        any::<u32>(),
        body(),
    )
        .prop_map(|(sequence, code, started, attempts, detail, body)| Reply {
            sequence,
            code,
            started,
            attempts,
            detail,
            body,
        })
}

pub(crate) fn to_client() -> impl Strategy<Value = Message> {
    prop_oneof![
        (1..=u64::MAX, opened()).prop_map(|(session, terms)| ToClient::Opened { session, terms }),
        (any::<u64>(), select(RejectReason::ALL), rejection()).prop_map(
            |(session, reason, rejection)| ToClient::Rejected {
                session,
                reason,
                rejection,
            }
        ),
        any::<u64>().prop_map(|session| ToClient::Heartbeat { session }),
        (any::<u64>(), reply()).prop_map(|(session, reply)| ToClient::Reply { session, reply }),
        any::<u64>().prop_map(|session| ToClient::Drain { session }),
        (any::<u64>(), disconnect_reason())
            .prop_map(|(session, reason)| ToClient::Disconnect { session, reason }),
        body().prop_map(|body| ToClient::Report { body }),
    ]
    .prop_map(Message::ToClient)
}

pub(crate) fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![from_worker(), to_worker(), from_client(), to_client()]
}

proptest! {
    #[test]
    fn what_is_written_is_read(message in any_message()) {
        let frames = message.clone().encode();
        prop_assert_eq!(message.decode_alike(&frames), Ok(message));
    }
}
