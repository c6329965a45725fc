//! HKDF with SHA-256 (RFC 5869) and the texts that bind a derived key to its use.

use ::hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Derives the key that signs tokenlib tokens from the secret.
pub(super) const TOKEN_SIGNING: &[u8] = b"services.mozilla.com/tokenlib/v1/signing";

/// Precedes the token in the derivation of its own key.
pub(super) const TOKEN_DERIVE: &[u8] = b"services.mozilla.com/tokenlib/v1/derive/";

/// Precedes the node's URL in the derivation of its secret.
pub(super) const NODE_SECRET: &[u8] = b"services.mozilla.com/mozsvc/v1/node_secret/";

/// Derives the key that encrypts one JWT.
pub(super) const JWE_KEY: &[u8] = b"token-server/v1/jwe/A256GCM";

/// Derives the name by which JWTs tell which secret belongs to them.
pub(super) const SECRET_ID: &[u8] = b"token-server/v1/secret-id";

/// The longest output: 255 blocks of 32 bytes.
pub const MAX_BYTES: usize = 255 * 32;

/// Derives `bytes` bytes from `input`. An absent salt is the same as 32 zero bytes. The parts of
/// `info` are taken as one text.
///
/// `None` when more than [`MAX_BYTES`] are asked for.
#[must_use]
pub fn derive(
    input: &[u8],
    salt: Option<&[u8]>,
    info: &[&[u8]],
    bytes: usize,
) -> Option<Zeroizing<Vec<u8>>> {
    if bytes > MAX_BYTES {
        return None;
    }
    let mut output = Zeroizing::new(vec![0; bytes]);
    Hkdf::<Sha256>::new(salt, input)
        .expand_multi_info(info, &mut output)
        .ok()?;
    Some(output)
}

/// Derives 32 bytes, which always succeeds.
pub(super) fn derive_key(input: &[u8], salt: Option<&[u8]>, info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut output = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(salt, input)
        .expand_multi_info(info, output.as_mut())
        .expect("32 bytes are within HKDF's limit");
    output
}
