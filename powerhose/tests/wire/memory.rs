//! Bodies are never copied.

use bytes::Bytes;
use powerhose::wire::limits::{DEFAULT_MAX_BODY, INLINE_BODY};
use powerhose::wire::{Encoded, FromWorker, HEADER_LEN, JobKey, ResultCode, ToWorker};

use crate::support::hex;

const RESULT_INLINE: &str = "01 06 01 01 00000000 0000000000000001 0000000000000001 0000 0000";
const JOB_WITH_ALL: &str = "01 05 06 01 00000001 0000000000000001 0000000000000001 0000 0000";

#[test]
fn a_body_in_the_headers_frame_is_a_slice_of_it() {
    let frame = [&hex(RESULT_INLINE)[..], b"the body"].concat();
    let frame = Bytes::from(frame);
    let expected = frame[HEADER_LEN..].as_ptr();
    let message = FromWorker::decode(&mut [frame], DEFAULT_MAX_BODY).expect("a RESULT");
    let FromWorker::Result { body, .. } = message else {
        panic!("not a RESULT: {message:?}");
    };
    assert_eq!(body, "the body");
    assert_eq!(body.as_ptr(), expected);
}

#[test]
fn a_body_and_metadata_in_frames_of_their_own_are_these_frames() {
    let (body, metadata) = (Bytes::from(vec![1; 4096]), Bytes::from(vec![2; 64]));
    let expected = [body.as_ptr(), metadata.as_ptr()];
    let mut frames = [hex(JOB_WITH_ALL), body, metadata];
    let message = ToWorker::decode(&mut frames, DEFAULT_MAX_BODY).expect("a JOB");
    let ToWorker::Job {
        body,
        metadata: Some(metadata),
        ..
    } = message
    else {
        panic!("not a JOB with metadata: {message:?}");
    };
    assert_eq!([body.as_ptr(), metadata.as_ptr()], expected);
    assert!(frames[1].is_empty() && frames[2].is_empty());
}

#[test]
fn a_large_body_is_sent_as_it_is() {
    let body = Bytes::from(vec![1; INLINE_BODY + 1]);
    let expected = body.as_ptr();
    let result = FromWorker::Result {
        session: 1,
        key: JobKey { job: 1, attempt: 1 },
        code: ResultCode::Ok,
        elapsed_us: 0,
        body,
    };
    let Encoded { body, .. } = result.encode(&mut Vec::new());
    assert_eq!(body.expect("a frame of its own").as_ptr(), expected);
}
