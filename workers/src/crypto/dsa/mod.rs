//! DSA verification. The arithmetic is AWS-LC's, reached through [`ffi`]; this module decides what
//! gets there: numbers of the prescribed sizes and ranges, nothing else.

mod ffi;

use std::fmt;

use crypto_jobs::SignatureAlgorithm;
use num_bigint::BigUint;
use ring::digest;

/// A DSA public key of one of BrowserID's sizes.
pub(super) struct Key {
    algorithm: SignatureAlgorithm,
    numbers: ffi::PublicKey,
}

impl Key {
    /// `None` when the sizes of p and q are not (1024, 160) or (2048, 256), when one of them is even,
    /// or when g or y is trivial or not below p. Whether p and q are prime is not tested: that is the
    /// affair of whoever vouches for the key, and no choice of them makes verification long.
    pub(super) fn new(y: &BigUint, p: &BigUint, q: &BigUint, g: &BigUint) -> Option<Self> {
        let algorithm = match (p.bits(), q.bits()) {
            (1024, 160) => SignatureAlgorithm::Ds128,
            (2048, 256) => SignatureAlgorithm::Ds256,
            _ => return None,
        };
        let in_group = |number: &BigUint| number.bits() > 1 && number < p;
        let fine = p.bit(0) && q.bit(0) && in_group(g) && in_group(y);
        fine.then(|| Self {
            algorithm,
            numbers: ffi::PublicKey {
                p: p.to_bytes_be(),
                q: q.to_bytes_be(),
                g: g.to_bytes_be(),
                y: y.to_bytes_be(),
            },
        })
    }

    pub(super) fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The signature is r and s, big-endian, each as long as q. Old writers strip zero bytes from the
    /// front of the whole, so a short one is read as if they were there.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let hash = match self.algorithm {
            SignatureAlgorithm::Ds128 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            _ => &digest::SHA256,
        };
        let q = self.numbers.q.as_slice();
        let mut padded = vec![0; 2 * q.len()];
        let Some(zeros) = padded.len().checked_sub(signature.len()) else {
            return false;
        };
        padded[zeros..].copy_from_slice(signature);
        let (r, s) = padded.split_at(q.len());
        // Zero has no inverse; verifiers that looked for one are known not to come back.
        let in_range = |number: &[u8]| number.iter().any(|byte| *byte != 0) && number < q;
        if !in_range(r) || !in_range(s) {
            return false;
        }
        let digest = digest::digest(hash, message);
        ffi::verify(&self.numbers, digest.as_ref(), r, s)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key", self.algorithm)
    }
}
