//! Every kind of error, what it says, and what its sender is told.

use bytes::Bytes;
use powerhose::wire::limits::MAX_METADATA;
use powerhose::wire::{HEADER_LEN, RejectReason, WireError};

use crate::support::{from_worker, hex, to_worker};

fn heartbeat() -> Vec<u8> {
    hex("01 04 00 00 00000000 0000000000000001 0000000000000000 0000 0000").to_vec()
}

/// What reading a HEARTBEAT gives after a change to its first frame.
fn refused(change: impl FnOnce(&mut Vec<u8>)) -> WireError {
    let mut frame = heartbeat();
    change(&mut frame);
    from_worker(&[frame.into()]).expect_err("this is no message")
}

#[track_caller]
fn check(error: &WireError, expected: &WireError, code: &str, reason: RejectReason, says: &str) {
    assert_eq!(error, expected);
    assert_eq!(error.code(), code);
    assert_eq!(error.reject_reason(), reason);
    assert_eq!(error.to_string(), says);
}

#[test]
fn nothing_is_wrong_with_the_frame_that_the_others_start_from() {
    from_worker(&[heartbeat().into()]).expect("a HEARTBEAT");
}

#[test]
fn a_frame_shorter_than_a_header() {
    check(
        &refused(|frame| frame.truncate(HEADER_LEN - 1)),
        &WireError::ShortHeader { len: 27 },
        "short-header",
        RejectReason::Malformed,
        "the first frame has 27 bytes, a header has 28",
    );
}

#[test]
fn another_version() {
    check(
        &refused(|frame| frame[0] = 2),
        &WireError::Version { version: 2 },
        "version",
        RejectReason::UnsupportedVersion,
        "protocol version 2 is not spoken here, only version 1 is",
    );
}

#[test]
fn another_version_with_a_header_of_its_own() {
    let error = refused(|frame| *frame = vec![7, 1, 2, 3]);
    assert_eq!(error, WireError::Version { version: 7 });
}

#[test]
fn an_unknown_command() {
    check(
        &refused(|frame| frame[1] = 0x10),
        &WireError::UnknownCommand { command: 0x10 },
        "unknown-command",
        RejectReason::UnknownCommand,
        "command 0x10 is unknown here",
    );
}

#[test]
fn an_unknown_flag() {
    check(
        &refused(|frame| frame[2] = 0x80),
        &WireError::Flags { flags: 0x80 },
        "flags",
        RejectReason::Malformed,
        "flags 0x80 are not allowed",
    );
}

#[test]
fn a_body_where_the_command_has_none() {
    let error = refused(|frame| {
        frame[2] = 0x01;
        frame.push(0);
    });
    assert_eq!(error, WireError::Flags { flags: 0x01 });
}

#[test]
fn a_superfluous_frame() {
    let frames = [heartbeat().into(), Bytes::new()];
    check(
        &from_worker(&frames).expect_err("one frame too many"),
        &WireError::Frames {
            got: 2,
            announced: 1,
        },
        "frames",
        RejectReason::Malformed,
        "2 frames came where the flags announce 1",
    );
}

#[test]
fn a_value_that_a_field_does_not_have() {
    check(
        &refused(|frame| frame[1] = 0x09),
        &WireError::Field {
            field: "disconnect reason",
            why: "0 is not in the table".into(),
        },
        "field",
        RejectReason::Malformed,
        "the disconnect reason is not valid: 0 is not in the table",
    );
}

#[test]
fn a_part_above_its_limit() {
    let job = hex("01 05 04 01 00000001 0000000000000001 0000000000000001 0000 0000");
    let metadata = Bytes::from(vec![0; MAX_METADATA + 1]);
    check(
        &to_worker(&[job, metadata]).expect_err("too much metadata"),
        &WireError::TooLarge {
            part: "metadata",
            len: 8193,
            limit: 8192,
        },
        "too-large",
        RejectReason::TooLarge,
        "the metadata has 8193 bytes, the limit is 8192",
    );
}
