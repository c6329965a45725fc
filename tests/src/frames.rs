//! Messages as they are on the wire.

use powerhose::Bytes;
use powerhose::wire::Encoded;

/// The frames of a message.
pub(crate) fn written(encode: impl FnOnce(&mut Vec<u8>) -> Encoded) -> Vec<Bytes> {
    let mut first = Vec::new();
    let rest = encode(&mut first);
    [Some(first.into()), rest.body, rest.metadata]
        .into_iter()
        .flatten()
        .collect()
}
