use std::{
    fmt,
    sync::{Arc, Mutex},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto_jobs::{JwtAlgorithm, Secret};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Most keys that a process remembers. A server signs with one or two at a time.
const MAX_REMEMBERED: usize = 16;

/// Shortest RSA modulus, in bytes (RFC 7518, section 3.3).
const MIN_RSA_BYTES: usize = 256;

/// A private key that has been parsed, with what is said of it in public.
pub(super) struct SigningKey {
    pair: Pair,
    /// The public half (RFC 7517), without `kid` and `alg`.
    jwk: Map<String, Value>,
    /// The thumbprint of the public half (RFC 7638).
    kid: String,
}

enum Pair {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl SigningKey {
    /// The key in `der`: PKCS#8, or PKCS#1 for RSA. `None` when it is none that can sign JWTs.
    ///
    /// Parsing an RSA key costs more than a signature, so keys that were seen are remembered.
    pub(super) fn of(der: &Secret) -> Option<Arc<Self>> {
        static REMEMBERED: Mutex<Vec<([u8; 32], Arc<SigningKey>)>> = Mutex::new(Vec::new());

        // The key itself isn't kept a second time.
        let name: [u8; 32] = Sha256::digest(der.expose()).into();
        let remembered = || REMEMBERED.lock().expect("no panics under this lock");
        let find = |keys: &[([u8; 32], Arc<Self>)]| {
            let known = keys.iter().find(|(known, _)| *known == name);
            known.map(|(_, key)| Arc::clone(key))
        };
        if let Some(known) = find(&remembered()) {
            return Some(known);
        }
        let key = Arc::new(Self::parse(der.expose())?);
        let mut keys = remembered();
        // Another thread may have parsed it meanwhile: one of them is kept.
        if let Some(known) = find(&keys) {
            return Some(known);
        }
        if keys.len() >= MAX_REMEMBERED {
            keys.remove(0);
        }
        keys.push((name, Arc::clone(&key)));
        Some(key)
    }

    fn parse(der: &[u8]) -> Option<Self> {
        let pair = if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            Pair::EdDsa(pair)
        } else if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            Pair::Es256(pair)
        } else {
            let pair = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
            let pair = pair.ok()?;
            if pair.public_modulus_len() < MIN_RSA_BYTES {
                return None;
            }
            Pair::Rs256(pair)
        };
        let jwk = pair.jwk();
        let text = Value::Object(jwk.clone()).to_string();
        Some(Self {
            pair,
            jwk,
            kid: URL_SAFE_NO_PAD.encode(Sha256::digest(text)),
        })
    }

    pub(super) fn algorithm(&self) -> JwtAlgorithm {
        match self.pair {
            Pair::EdDsa(_) => JwtAlgorithm::EdDsa,
            Pair::Es256(_) => JwtAlgorithm::Es256,
            Pair::Rs256(_) => JwtAlgorithm::Rs256,
        }
    }

    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// The members of the public half that the thumbprint covers, and no others.
    pub(super) fn jwk(&self) -> &Map<String, Value> {
        &self.jwk
    }

    /// `None` when the system has no randomness, or RSA's arithmetic went wrong.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::EdDsa(pair) => Some(pair.sign(message).as_ref().to_vec()),
            Pair::Es256(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .ok()?;
                Some(signature)
            }
        }
    }
}

impl Pair {
    /// Members in the order of their names, which is that of the thumbprint.
    fn jwk(&self) -> Map<String, Value> {
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let members = match self {
            Self::EdDsa(pair) => vec![
                ("crv", "Ed25519".to_owned()),
                ("kty", "OKP".to_owned()),
                ("x", number(pair.public_key().as_ref())),
            ],
            Self::Es256(pair) => {
                // 0x04, and both coordinates.
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at(point.len() / 2);
                vec![
                    ("crv", "P-256".to_owned()),
                    ("kty", "EC".to_owned()),
                    ("x", number(x)),
                    ("y", number(y)),
                ]
            }
            Self::Rs256(pair) => {
                let key = pair.public_key();
                vec![
                    (
                        "e",
                        number(key.exponent().big_endian_without_leading_zero()),
                    ),
                    ("kty", "RSA".to_owned()),
                    ("n", number(key.modulus().big_endian_without_leading_zero())),
                ]
            }
        };
        let members = members.into_iter();
        members
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signing key {}", self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key pair of RFC 8037, appendix A.1 and A.2, in PKCS#8.
    const RFC8037: &str = "302e020100300506032b657004220420\
         9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|chunk| pair(chunk).unwrap()).collect()
    }

    #[test]
    fn the_kid_is_the_thumbprint_of_the_public_half() {
        let key = SigningKey::of(&Secret::from(bytes(RFC8037))).unwrap();
        assert_eq!(key.algorithm(), JwtAlgorithm::EdDsa);
        assert_eq!(
            key.jwk()["x"],
            "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        );
        // RFC 8037, appendix A.3.
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_key_is_parsed_once() {
        let der = Secret::from(bytes(RFC8037));
        let (first, second) = (SigningKey::of(&der), SigningKey::of(&der));
        assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()));
    }

    #[test]
    fn threads_that_meet_a_key_at_once_get_the_same_one() {
        for number in 0..6_u8 {
            let mut der = bytes(RFC8037);
            der[20] = number;
            let der = Secret::from(der);
            let gate = std::sync::Barrier::new(2);
            let meet = || {
                gate.wait();
                SigningKey::of(&der).unwrap()
            };
            let (first, second) = std::thread::scope(|scope| {
                let other = scope.spawn(meet);
                (meet(), other.join().unwrap())
            });
            assert!(Arc::ptr_eq(&first, &second), "{number}");
        }
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        for der in [Vec::new(), b"junk".to_vec(), bytes("302e0201")] {
            assert!(SigningKey::of(&Secret::from(der)).is_none());
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = SigningKey::of(&Secret::from(bytes(RFC8037))).unwrap();
        assert_eq!(format!("{key:?}"), format!("signing key {}", key.kid()));
    }
}
