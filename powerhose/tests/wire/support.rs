//! Frames as tests want to write them.

use bytes::Bytes;
use powerhose::wire::limits::DEFAULT_MAX_BODY;
use powerhose::wire::{Encoded, FromClient, FromWorker, ToClient, ToWorker, WireError};

/// Bytes from hex; spaces mean nothing.
pub(crate) fn hex(text: &str) -> Bytes {
    let digits: Vec<u32> = text
        .chars()
        .filter(|char| !char.is_whitespace())
        .map(|char| char.to_digit(16).expect("a hex digit"))
        .collect();
    assert!(digits.len().is_multiple_of(2), "half a byte in {text:?}");
    (digits.chunks(2))
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("a byte"))
        .collect()
}

pub(crate) fn from_worker(frames: &[Bytes]) -> Result<FromWorker, WireError> {
    FromWorker::decode(&mut frames.to_vec(), DEFAULT_MAX_BODY)
}

pub(crate) fn to_worker(frames: &[Bytes]) -> Result<ToWorker, WireError> {
    ToWorker::decode(&mut frames.to_vec(), DEFAULT_MAX_BODY)
}

pub(crate) fn from_client(frames: &[Bytes]) -> Result<FromClient, WireError> {
    FromClient::decode(&mut frames.to_vec())
}

pub(crate) fn to_client(frames: &[Bytes]) -> Result<ToClient, WireError> {
    ToClient::decode(&mut frames.to_vec())
}

/// A message of any direction, so that tests can go over both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    FromWorker(FromWorker),
    ToWorker(ToWorker),
    FromClient(FromClient),
    ToClient(ToClient),
}

impl Message {
    pub(crate) fn encode(self) -> Vec<Bytes> {
        // What the buffer held before must not matter.
        let mut first = b"from the message before".to_vec();
        let Encoded { body, metadata } = match self {
            Self::FromWorker(message) => message.encode(&mut first),
            Self::ToWorker(message) => message.encode(&mut first),
            Self::FromClient(message) => message.encode(&mut first),
            Self::ToClient(message) => message.encode(&mut first),
        };
        [Some(first.into()), body, metadata]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Decodes frames that go in the same direction as this message.
    pub(crate) fn decode_alike(&self, frames: &[Bytes]) -> Result<Self, WireError> {
        Ok(match self {
            Self::FromWorker(_) => Self::FromWorker(from_worker(frames)?),
            Self::ToWorker(_) => Self::ToWorker(to_worker(frames)?),
            Self::FromClient(_) => Self::FromClient(from_client(frames)?),
            Self::ToClient(_) => Self::ToClient(to_client(frames)?),
        })
    }
}
