//! What travels: payloads that say whose they are, and results that only the right payload gives.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A job of one life of the service; no two jobs of a run have the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobName {
    /// The life of the service that made it, from 1.
    pub life: u32,
    /// Its number within that life, from 0.
    pub job: u64,
}

/// What a payload begins with; random bytes follow, so that no other payload has its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The job.
    pub name: JobName,
    /// How long the handler shall take.
    pub work: Duration,
}

const ORDER_LEN: usize = 16;

impl Order {
    /// Makes a payload with this many random bytes.
    pub fn payload(&self, filler: usize, random: &mut impl Rng) -> Bytes {
        let mut payload = BytesMut::with_capacity(ORDER_LEN + filler);
        payload.put_u32(self.name.life);
        payload.put_u64(self.name.job);
        payload.put_u32(u32::try_from(self.work.as_micros()).unwrap_or(u32::MAX));
        payload.resize(ORDER_LEN + filler, 0);
        random.fill(&mut payload[ORDER_LEN..]);
        payload.freeze()
    }

    /// Reads the beginning of a payload; `None` if that is not one of ours.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let (life, rest) = payload.split_first_chunk()?;
        let (job, rest) = rest.split_first_chunk()?;
        let (work, _) = rest.split_first_chunk()?;
        Some(Self {
            name: JobName {
                life: u32::from_be_bytes(*life),
                job: u64::from_be_bytes(*job),
            },
            work: Duration::from_micros(u32::from_be_bytes(*work).into()),
        })
    }
}

/// The only right result of a payload.
pub fn checksum(payload: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&Sha256::digest(payload))
}

/// A result that is never right, to be told from the right one wherever it turns up.
pub fn lie(payload: &[u8]) -> Bytes {
    Sha256::digest(payload).iter().map(|byte| !byte).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_payload_says_whose_it_is() {
        let order = Order {
            name: JobName {
                life: 3,
                job: 1 << 40,
            },
            work: Duration::from_millis(5),
        };
        let mut random = StdRng::seed_from_u64(1);
        for filler in [0, 1, 70_000] {
            let payload = order.payload(filler, &mut random);
            assert_eq!(payload.len(), ORDER_LEN + filler);
            assert_eq!(Order::read(&payload), Some(order));
        }
        assert_eq!(Order::read(&[0; ORDER_LEN - 1]), None);
    }

    #[test]
    fn lies_are_not_the_truth() {
        assert_ne!(lie(b"payload"), checksum(b"payload"));
    }
}
