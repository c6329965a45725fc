use std::fmt;

use crypto_jobs::SignatureAlgorithm;
use num_bigint::BigUint;
use ring::{digest, signature};

/// The ASN.1 that precedes a SHA-256 digest in PKCS#1 v1.5 (RFC 8017, section 9.2).
const SHA256_DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// An RSA public key of one of BrowserID's sizes.
pub(super) struct Key {
    algorithm: SignatureAlgorithm,
    n: BigUint,
    e: BigUint,
}

impl Key {
    /// `None` for other sizes of the modulus, and for exponents that are even, 1, or so long that
    /// they would only cost time.
    pub(super) fn new(n: BigUint, e: BigUint) -> Option<Self> {
        // The product of two primes of half the size can be one bit short.
        let algorithm = match n.bits() {
            511 | 512 => SignatureAlgorithm::Rs64,
            1023 | 1024 => SignatureAlgorithm::Rs128,
            2047 | 2048 => SignatureAlgorithm::Rs256,
            _ => return None,
        };
        let fine = n.bit(0) && e.bit(0) && (2..=33).contains(&e.bits());
        fine.then_some(Self { algorithm, n, e })
    }

    pub(super) fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// PKCS#1 v1.5 with SHA-256. The signature has exactly the modulus's length and lies below it.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let parameters = match self.algorithm {
            SignatureAlgorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            SignatureAlgorithm::Rs128 => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
            _ => return self.verify_short(message, signature),
        };
        let key = signature::RsaPublicKeyComponents {
            n: self.n.to_bytes_be(),
            e: self.e.to_bytes_be(),
        };
        key.verify(parameters, message, signature).is_ok()
    }

    /// For moduli too short for `ring`, though it takes any of them. Everything here is public, so its
    /// time may tell anything; the whole encoded message is compared, so nothing of the padding is parsed.
    pub(super) fn verify_short(&self, message: &[u8], signature: &[u8]) -> bool {
        let size = self.n.bits().div_ceil(8) as usize;
        let s = BigUint::from_bytes_be(signature);
        if signature.len() != size || s >= self.n {
            return false;
        }
        let digest = digest::digest(&digest::SHA256, message);
        let mut expected = vec![0xff; size];
        expected[..2].copy_from_slice(&[0, 1]);
        let info_at = size - digest.as_ref().len() - SHA256_DIGEST_INFO.len();
        expected[info_at - 1] = 0;
        expected[info_at..info_at + SHA256_DIGEST_INFO.len()].copy_from_slice(&SHA256_DIGEST_INFO);
        expected[info_at + SHA256_DIGEST_INFO.len()..].copy_from_slice(digest.as_ref());
        s.modpow(&self.e, &self.n) == BigUint::from_bytes_be(&expected)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key", self.algorithm)
    }
}
