//! What travels: the number of a job and random bytes, and back the same the other way round.

use bytes::Bytes;
use rand::RngExt;

/// Most payloads travel behind the header, one in so many in a frame of its own.
const LARGE_EVERY: u64 = 50;

const SMALL: usize = 64;
const LARGE: usize = 4000;

/// One job in so many must not be started twice.
const AT_MOST_ONCE_EVERY: u64 = 10;

/// The payload of a job. No other payload has its answer.
pub(super) fn payload(number: u64) -> Bytes {
    let large = number.is_multiple_of(LARGE_EVERY);
    let mut payload = vec![0; if large { LARGE } else { SMALL }];
    rand::rng().fill(&mut payload[..]);
    payload[..8].copy_from_slice(&number.to_be_bytes());
    payload.into()
}

/// The job that a payload belongs to.
pub(super) fn number(payload: &[u8]) -> Option<u64> {
    payload
        .first_chunk()
        .map(|bytes| u64::from_be_bytes(*bytes))
}

/// The only right answer.
pub(super) fn answer(payload: &[u8]) -> Bytes {
    payload.iter().rev().copied().collect()
}

/// Whether a job must not be started twice.
pub(super) fn is_at_most_once(number: u64) -> bool {
    number.is_multiple_of(AT_MOST_ONCE_EVERY)
}
