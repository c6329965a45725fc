//! Codes: of rejections, results, outcomes, errors, exits.

use std::collections::BTreeSet;

use bytes::Bytes;
use powerhose::wire::{
    CancelReason, DisconnectReason, OutcomeCode, RejectReason, Reply, ResultCode, WireError,
};
use powerhose::{Exit, Started};

use crate::document::{columns, table};

#[test]
fn codes() {
    fn check<T: Copy>(heading: &str, all: &[T], code: fn(T) -> u16, name: fn(T) -> &'static str) {
        let expected: Vec<_> = all
            .iter()
            .map(|value| [code(*value).to_string(), name(*value).to_owned()])
            .collect();
        assert_eq!(columns(heading, [0, 1]), expected, "{heading}");
    }
    check(
        "Result codes",
        ResultCode::ALL,
        ResultCode::to_wire,
        ResultCode::name,
    );
    check(
        "Reject reasons",
        RejectReason::ALL,
        RejectReason::to_wire,
        RejectReason::name,
    );
    check(
        "Cancel reasons",
        CancelReason::ALL,
        CancelReason::to_wire,
        CancelReason::name,
    );
    check(
        "Disconnect reasons",
        DisconnectReason::ALL,
        DisconnectReason::to_wire,
        DisconnectReason::name,
    );
    check(
        "Outcome codes",
        OutcomeCode::ALL,
        OutcomeCode::to_wire,
        OutcomeCode::name,
    );
}

/// What the table says of whose fault an outcome is and whether the work was started is what the library says.
#[test]
fn faults_of_outcomes() {
    for [number, fault, started] in columns("Outcome codes", [0, 6, 5]) {
        let code = OutcomeCode::from_wire(number.parse().expect("a number")).expect("in the table");
        if matches!(code, OutcomeCode::Ok | OutcomeCode::Withdrawn) {
            assert_eq!(fault, "-");
            continue;
        }
        for started in started.split(" or ") {
            let reply = Reply {
                sequence: 1,
                code,
                started: match started {
                    "0" => Started::No,
                    "1" => Started::Maybe,
                    "2" => Started::Finished,
                    other => panic!("{other:?} is not in the table"),
                },
                attempts: 1,
                detail: 1,
                body: Bytes::new(),
            };
            let started = reply.started;
            let error = reply.into_outcome("").expect_err("an error");
            assert_eq!(
                format!("{:?}", error.fault()).to_lowercase(),
                fault,
                "{code:?}"
            );
            assert_eq!(error.started(), started, "{code:?}");
        }
    }
}

#[test]
fn errors() {
    let every = [
        WireError::ShortHeader { len: 0 },
        WireError::Version { version: 0 },
        WireError::UnknownCommand { command: 0 },
        WireError::Flags { flags: 0 },
        WireError::Frames {
            got: 0,
            announced: 0,
        },
        WireError::Field {
            field: "",
            why: String::new(),
        },
        WireError::TooLarge {
            part: "",
            len: 0,
            limit: 0,
        },
    ];
    // A variant that is missing above does not compile here.
    for error in &every {
        match error {
            WireError::ShortHeader { .. }
            | WireError::Version { .. }
            | WireError::UnknownCommand { .. }
            | WireError::Flags { .. }
            | WireError::Frames { .. }
            | WireError::Field { .. }
            | WireError::TooLarge { .. } => {}
        }
    }
    let expected: Vec<_> = every
        .iter()
        .map(|error| vec![error.code(), error.reject_reason().name()])
        .collect();
    let listed: Vec<_> = table("Errors")
        .into_iter()
        .filter(|row| row.len() == 3)
        .map(|row| vec![row[0].clone(), row[2].clone()])
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn exit_codes() {
    let rejected = |reason: &RejectReason| Exit::Rejected {
        reason: *reason,
        message: String::new(),
    };
    let exits = [
        Exit::Drained,
        Exit::MaxJobs,
        Exit::MaxAge,
        Exit::MasterLost,
        Exit::Stopped,
    ];
    let exits = (exits.into_iter()).chain(RejectReason::ALL.iter().map(rejected));
    let codes: BTreeSet<String> = exits.map(|exit| exit.code().to_string()).collect();
    let listed: BTreeSet<String> = (columns("Exit codes", [0]).into_iter())
        .map(|[code]| code)
        .collect();
    assert_eq!(listed, codes);
}
