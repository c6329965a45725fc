use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::JwsAlgorithm;

/// Longest number in a key, in characters of base64url: 8192 bits and a zero byte before them.
const MAX_NUMBER_CHARS: usize = 1368;

/// Longest `kid`, in bytes.
const MAX_KID_BYTES: usize = 256;

/// A public key of an issuer, as it stands in a JWK Set (RFC 7517).
///
/// Numbers are unchecked text here; the worker parses and bounds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// The name that tokens call the key by.
    pub kid: Option<String>,
    /// The only algorithm that the key may be used with, where its owner says so.
    pub algorithm: Option<JwsAlgorithm>,
    /// The key itself.
    pub material: KeyMaterial,
}

/// The kinds of keys, in JWK's own notation: base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty")]
pub enum KeyMaterial {
    /// RSA.
    #[serde(rename = "RSA")]
    Rsa {
        /// Modulus.
        n: String,
        /// Public exponent.
        e: String,
    },
    /// A point on an elliptic curve.
    #[serde(rename = "EC")]
    Ec {
        /// The curve.
        crv: EcCurve,
        /// The point's first coordinate.
        x: String,
        /// The point's second coordinate.
        y: String,
    },
    /// An octet key pair (RFC 8037).
    #[serde(rename = "OKP")]
    Okp {
        /// The curve.
        crv: OkpCurve,
        /// The public key.
        x: String,
    },
}

/// The curves of ECDSA keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EcCurve {
    /// NIST P-256, for ES256.
    #[serde(rename = "P-256")]
    P256,
    /// NIST P-384, for ES384.
    #[serde(rename = "P-384")]
    P384,
}

/// The curves of EdDSA keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OkpCurve {
    /// Edwards25519, for EdDSA.
    Ed25519,
}

impl Jwk {
    /// Reads one member of a JWK Set's `keys`. `None` for a key that no signature could be verified
    /// with: of another kind, meant for something else, or malformed. Sets hold all of these.
    ///
    /// ```
    /// use crypto_jobs::Jwk;
    ///
    /// let key = serde_json::json!({ "kty": "RSA", "kid": "1", "n": "AQAB", "e": "AQAB" });
    /// assert!(Jwk::from_json(&key).is_some());
    /// let symmetric = serde_json::json!({ "kty": "oct", "k": "AQAB" });
    /// assert!(Jwk::from_json(&symmetric).is_none());
    /// ```
    #[must_use]
    pub fn from_json(key: &Value) -> Option<Self> {
        let verifies = |operations: &Value| {
            let operations = operations.as_array();
            operations.is_some_and(|list| list.iter().any(|operation| operation == "verify"))
        };
        let meant_for_it = key.get("use").is_none_or(|purpose| purpose == "sig")
            && key.get("key_ops").is_none_or(verifies);
        if !meant_for_it {
            return None;
        }
        let kid = match key.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= MAX_KID_BYTES => Some(kid.clone()),
            Some(_) => return None,
        };
        let algorithm = match key.get("alg") {
            None => None,
            Some(name) => Some(name.as_str()?.parse().ok()?),
        };
        let key = Self {
            kid,
            algorithm,
            material: KeyMaterial::deserialize(key).ok()?,
        };
        key.material.is_bounded().then_some(key)
    }

    /// Whether a signature by `algorithm` could be this key's.
    #[must_use]
    pub fn fits(&self, algorithm: JwsAlgorithm) -> bool {
        self.algorithm.is_none_or(|own| own == algorithm) && self.material.fits(algorithm)
    }
}

impl KeyMaterial {
    fn fits(&self, algorithm: JwsAlgorithm) -> bool {
        use JwsAlgorithm as A;

        match self {
            Self::Rsa { .. } => matches!(
                algorithm,
                A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512
            ),
            Self::Ec {
                crv: EcCurve::P256, ..
            } => algorithm == A::Es256,
            Self::Ec {
                crv: EcCurve::P384, ..
            } => algorithm == A::Es384,
            Self::Okp { .. } => algorithm == A::EdDsa,
        }
    }

    fn is_bounded(&self) -> bool {
        let numbers: &[&String] = match self {
            Self::Rsa { n, e } => &[n, e],
            Self::Ec { x, y, .. } => &[x, y],
            Self::Okp { x, .. } => &[x],
        };
        numbers
            .iter()
            .all(|number| number.len() <= MAX_NUMBER_CHARS)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_for_signatures_are_read() {
        let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "sig", "alg": "RS256", "kid": "a", "x5c": []});
        let rsa = Jwk::from_json(&rsa).unwrap();
        assert_eq!(rsa.kid.as_deref(), Some("a"));
        assert!(rsa.fits(JwsAlgorithm::Rs256));
        assert!(
            !rsa.fits(JwsAlgorithm::Rs512),
            "its owner names one algorithm"
        );
        let ec = Jwk::from_json(&json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}));
        let ec = ec.unwrap();
        assert!(ec.fits(JwsAlgorithm::Es256) && !ec.fits(JwsAlgorithm::Es384));
        let okp = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "key_ops": ["verify"]});
        assert!(Jwk::from_json(&okp).unwrap().fits(JwsAlgorithm::EdDsa));
    }

    #[test]
    fn other_keys_are_passed_over() {
        let long = "A".repeat(MAX_NUMBER_CHARS + 1);
        for other in [
            json!({"kty": "oct", "k": "AQAB"}),
            json!({"kty": "RSA", "n": "AQAB"}),
            json!({"kty": "RSA", "n": 5, "e": "AQAB"}),
            json!({"kty": "RSA", "n": long, "e": "AQAB"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "enc"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RSA-OAEP"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "HS256"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "key_ops": ["encrypt"]}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": 7}),
            json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}),
            json!({"kty": "OKP", "crv": "X25519", "x": "AA"}),
            json!("RSA"),
            json!(null),
        ] {
            assert_eq!(Jwk::from_json(&other), None, "{other}");
        }
    }
}
