//! What bad workers say when they are given a job.

use bytes::{BufMut, Bytes, BytesMut};
use powerhose::wire::{FromWorker, HEADER_LEN, JobKey, ResultCode, VERSION};
use rand::RngExt;

use super::super::payload::{checksum, lie};
use super::bare::{Frames, Given, Reaction, frames};

/// Says nothing.
pub(super) fn mute(_: &Given) -> Reaction {
    Reaction {
        messages: Vec::new(),
        answers: false,
    }
}

/// Says the right thing, then the wrong one.
pub(super) fn twice(given: &Given) -> Reaction {
    let result = |body| frames(result(given.session, given.key, body));
    Reaction {
        messages: vec![
            result(checksum(&given.payload)),
            result(lie(&given.payload)),
        ],
        answers: true,
    }
}

/// Says what is no message, and lies about jobs that are other workers', or not any more ours; every other time the right thing at
/// last.
pub(super) fn garbage(given: &Given) -> Reaction {
    let Given {
        session,
        key: JobKey { job, attempt },
        ref payload,
    } = *given;
    let lie_about = |session, job, attempt| {
        let key = JobKey { job, attempt };
        frames(result(session, key, lie(payload)))
    };
    let mut messages = vec![
        vec![Bytes::new()],
        noise(HEADER_LEN - 1),
        noise(HEADER_LEN),
        noise(HEADER_LEN * 3),
        vec![noise(HEADER_LEN).concat().into(); 12],
        garbled(given, |header| header[0] = VERSION + 1),
        garbled(given, |header| header[1] = 0xff),
        garbled(given, |header| header[2] = 0xff),
        lie_about(session, job, attempt.wrapping_add(1).max(1)),
        lie_about(session.wrapping_add(1).max(1), job, attempt),
        // The neighbours are at other workers.
        lie_about(session, job.wrapping_add(1), attempt),
        lie_about(session, job.wrapping_sub(1), attempt),
        lie_about(session, job.wrapping_add(1 << 32), attempt),
        lie_about(session, job.wrapping_sub(1 << 32), attempt),
    ];
    let answers = rand::rng().random_bool(0.5);
    if answers {
        messages.push(frames(result(session, given.key, checksum(payload))));
    }
    Reaction { messages, answers }
}

fn result(session: u64, key: JobKey, body: Bytes) -> FromWorker {
    FromWorker::Result {
        session,
        key,
        code: ResultCode::Ok,
        elapsed_us: 1,
        body,
    }
}

/// A lie whose header is not one.
fn garbled(given: &Given, garble: impl Fn(&mut [u8])) -> Frames {
    let mut frames = frames(result(given.session, given.key, lie(&given.payload)));
    for first in frames.iter_mut().take(1) {
        let mut bytes = BytesMut::from(&first[..]);
        garble(&mut bytes);
        *first = bytes.freeze();
    }
    frames
}

/// A frame of random bytes, none of which is a command by chance.
fn noise(len: usize) -> Frames {
    let mut bytes = BytesMut::new();
    bytes.put_bytes(0, len);
    rand::rng().fill(&mut bytes[..]);
    if let Some(version) = bytes.first_mut() {
        *version |= 0x80;
    }
    vec![bytes.freeze()]
}
