use rmp_serde::Deserializer;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    DescribeKeysReply, DescribeKeysRequest, IssueReply, IssueRequest, VerifyJwtReply,
    VerifyJwtRequest, VerifyReply, VerifyRequest,
};

/// The largest body that [`decode`] looks at, in bytes: 64 KiB. A request holds an assertion of at
/// most [`MAX_ASSERTION_BYTES`](crate::MAX_ASSERTION_BYTES) and a few keys.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Deepest nesting of a body: JSON claims have at most 128 levels, inside a handful of our own.
const MAX_DEPTH: usize = 160;

/// The bodies that travel between the web tier and the workers.
pub trait Message: Serialize + DeserializeOwned + sealed::Sealed {}

impl Message for VerifyRequest {}
impl Message for VerifyReply {}
impl Message for VerifyJwtRequest {}
impl Message for VerifyJwtReply {}
impl Message for IssueRequest {}
impl Message for IssueReply {}
impl Message for DescribeKeysRequest {}
impl Message for DescribeKeysReply {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::VerifyRequest {}
    impl Sealed for super::VerifyReply {}
    impl Sealed for super::VerifyJwtRequest {}
    impl Sealed for super::VerifyJwtReply {}
    impl Sealed for super::IssueRequest {}
    impl Sealed for super::IssueReply {}
    impl Sealed for super::DescribeKeysRequest {}
    impl Sealed for super::DescribeKeysReply {}
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The body is longer than [`MAX_MESSAGE_BYTES`].
    #[error("the body has {0} bytes, the limit is {MAX_MESSAGE_BYTES}")]
    TooLarge(usize),
    /// The body is not MessagePack of the expected shape. The text does not quote its content.
    #[error("the body is not a message of this service")]
    Malformed(#[source] rmp_serde::decode::Error),
    /// Bytes follow the message.
    #[error("{0} bytes follow the message")]
    TrailingBytes(usize),
}

/// Encodes a message: MessagePack, structures as maps keyed by member name, enums as a map of one
/// entry (or a string where a variant holds nothing), [`Secret`](crate::Secret) as binary.
///
/// # Panics
///
/// Never: the message types only hold what MessagePack can express.
#[must_use]
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    rmp_serde::to_vec_named(message).expect("messages hold nothing MessagePack cannot express")
}

/// Decodes one message that fills `body` exactly.
///
/// # Errors
///
/// [`DecodeError`] when the body is too large, is not such a message, or is followed by anything.
pub fn decode<M: Message>(body: &[u8]) -> Result<M, DecodeError> {
    if body.len() > MAX_MESSAGE_BYTES {
        return Err(DecodeError::TooLarge(body.len()));
    }
    let mut rest = body;
    let mut deserializer = Deserializer::new(&mut rest);
    deserializer.set_max_depth(MAX_DEPTH);
    let message = M::deserialize(&mut deserializer).map_err(DecodeError::Malformed)?;
    match rest.len() {
        0 => Ok(message),
        extra => Err(DecodeError::TrailingBytes(extra)),
    }
}
