use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Most digits of a number in a key: a 2048-bit one has 617 decimal or 512 hexadecimal digits.
pub const MAX_KEY_DIGITS: usize = 640;

/// A BrowserID public key as it stands in certificates and support documents. Its serde form in JSON
/// is that very object, so `serde_json::from_value` reads a document's `public-key`.
///
/// Numbers are unchecked text here; the worker parses and bounds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm")]
pub enum PublicKey {
    /// RSA, members in decimal.
    #[serde(rename = "RS")]
    Rsa {
        /// Modulus.
        n: String,
        /// Public exponent.
        e: String,
    },
    /// DSA, members in hexadecimal without a prefix.
    #[serde(rename = "DS")]
    Dsa {
        /// Public value.
        y: String,
        /// Prime modulus.
        p: String,
        /// Prime order of the subgroup.
        q: String,
        /// Generator of the subgroup.
        g: String,
    },
}

impl PublicKey {
    /// Whether every number is short enough to be one of a key that can be used. A request must not
    /// carry others: together they may be longer than
    /// [`MAX_MESSAGE_BYTES`](crate::MAX_MESSAGE_BYTES).
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let numbers: &[&String] = match self {
            Self::Rsa { n, e } => &[n, e],
            Self::Dsa { y, p, q, g } => &[y, p, q, g],
        };
        numbers.iter().all(|number| number.len() <= MAX_KEY_DIGITS)
    }
}

/// A signature algorithm of BrowserID: family and half the key's strength-giving size. RSA always
/// hashes with SHA-256, DS128 with SHA-1, DS256 with SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SignatureAlgorithm {
    /// RSA, 512-bit modulus. Breakable by anyone; never accept it outside tests.
    #[serde(rename = "RS64")]
    Rs64,
    /// RSA, 1024-bit modulus. Too short for this decade.
    #[serde(rename = "RS128")]
    Rs128,
    /// RSA, 2048-bit modulus.
    #[serde(rename = "RS256")]
    Rs256,
    /// DSA, 1024-bit p and 160-bit q. Short, but what Sync clients sign with.
    #[serde(rename = "DS128")]
    Ds128,
    /// DSA, 2048-bit p and 256-bit q.
    #[serde(rename = "DS256")]
    Ds256,
}

impl SignatureAlgorithm {
    /// Every algorithm, weakest first in each family.
    pub const ALL: [Self; 5] = [
        Self::Rs64,
        Self::Rs128,
        Self::Rs256,
        Self::Ds128,
        Self::Ds256,
    ];

    /// What a server accepts unless told otherwise: RS256, DS128 and DS256.
    pub const DEFAULT: [Self; 3] = [Self::Rs256, Self::Ds128, Self::Ds256];

    /// The name as it stands in a JWS header's `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs64 => "RS64",
            Self::Rs128 => "RS128",
            Self::Rs256 => "RS256",
            Self::Ds128 => "DS128",
            Self::Ds256 => "DS256",
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no signature algorithm of BrowserID. Names are case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a signature algorithm of BrowserID (RS64, RS128, RS256, DS128, DS256)")]
pub struct UnknownAlgorithm;

impl FromStr for SignatureAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or(UnknownAlgorithm)
    }
}
