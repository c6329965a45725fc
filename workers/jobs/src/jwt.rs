use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Jwk, compact::Compact};

/// The longest JWT that is looked at, in bytes: 16 KiB. Real ones have 0.5 to 2 KiB.
pub const MAX_JWT_BYTES: usize = 16 * 1024;

/// Most keys that a request may offer: 8. Whoever asks chooses those that fit.
pub const MAX_JWT_KEYS: usize = 8;

/// The algorithms that a foreign JWT may be signed with: those whose keys can be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JwsAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PSS with SHA-384.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSASSA-PSS with SHA-512.
    #[serde(rename = "PS512")]
    Ps512,
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA over P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl JwsAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The name as it stands in a header's `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for JwsAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no algorithm that can be verified with a public key. Names are case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a signature algorithm with public keys (RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA)"
)]
pub struct UnknownJwsAlgorithm;

impl FromStr for JwsAlgorithm {
    type Err = UnknownJwsAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownJwsAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or(UnknownJwsAlgorithm)
    }
}

/// Asks a worker to verify a JWT: an access token, or a security event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyJwtRequest {
    /// The token as received.
    pub token: String,
    /// The keys that may have signed it, at most [`MAX_JWT_KEYS`]. Those that do not fit the token's
    /// algorithm are passed over.
    pub keys: Vec<Jwk>,
    /// The caller's wall clock, in seconds since 1970.
    pub now_s: u64,
    /// What else the token must meet.
    pub conditions: JwtConditions,
}

/// What a JWT must meet besides being signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtConditions {
    /// The algorithms that may be used.
    pub algorithms: Vec<JwsAlgorithm>,
    /// Media types that the header's `typ` may name, such as `at+jwt`. Case and a leading
    /// `application/` make no difference. Empty: any, or none.
    pub types: Vec<String>,
    /// What `iss` must be. `None`: anything.
    pub issuer: Option<String>,
    /// One of these must be in `aud`. Empty: anything.
    pub audiences: Vec<String>,
    /// Whether a token without `exp` is refused.
    pub must_expire: bool,
    /// How far the issuer's clock may differ, in seconds.
    pub leeway_s: u64,
}

/// The reply to a [`VerifyJwtRequest`].
pub type VerifyJwtReply = Result<VerifiedJwt, JwtRejection>;

/// What a verified JWT says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifiedJwt {
    /// All of its claims.
    pub claims: Map<String, Value>,
}

/// Why a JWT was refused. Checks run in this order, and the first that fails is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum JwtRejection {
    /// Not three segments of base64url, the first two of them JSON objects; too long; a header that
    /// asks for extensions; a claim of the wrong type.
    #[error("malformed token")]
    Malformed,
    /// The header's `alg` is unknown or not accepted.
    #[error("signature algorithm not accepted")]
    UnsupportedAlgorithm,
    /// The header's `typ` is not one that is accepted.
    #[error("token type not accepted")]
    WrongType,
    /// None of the keys can be used with the algorithm.
    #[error("no key fits")]
    NoKey,
    /// No key made the signature.
    #[error("bad signature")]
    BadSignature,
    /// `exp` has passed, or is not there and should be.
    #[error("expired")]
    Expired,
    /// `nbf` is still to come.
    #[error("not valid yet")]
    NotYetValid,
    /// `iss` is another one.
    #[error("wrong issuer")]
    WrongIssuer,
    /// `aud` names none of the accepted ones.
    #[error("wrong audience")]
    WrongAudience,
}

impl JwtRejection {
    /// A stable name for metrics and logs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "jwt-malformed",
            Self::UnsupportedAlgorithm => "jwt-unsupported-algorithm",
            Self::WrongType => "jwt-wrong-type",
            Self::NoKey => "jwt-no-key",
            Self::BadSignature => "jwt-bad-signature",
            Self::Expired => "jwt-expired",
            Self::NotYetValid => "jwt-not-yet-valid",
            Self::WrongIssuer => "jwt-wrong-issuer",
            Self::WrongAudience => "jwt-wrong-audience",
        }
    }
}

/// A parsed JWT of which nothing has been verified.
#[derive(Clone, Debug)]
pub struct UnverifiedJwt<'a> {
    /// The header's `alg`.
    pub algorithm: JwsAlgorithm,
    /// The header's `kid`: which key is said to have signed.
    pub kid: Option<String>,
    /// The text that was signed.
    pub signed: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
    typ: Option<String>,
    claims: Map<String, Value>,
}

impl<'a> UnverifiedJwt<'a> {
    /// Parses a JWS in compact form, **without verifying anything**.
    ///
    /// # Errors
    ///
    /// [`JwtRejection::Malformed`] or [`JwtRejection::UnsupportedAlgorithm`].
    ///
    /// ```
    /// use crypto_jobs::{JwtRejection, UnverifiedJwt};
    ///
    /// assert_eq!(UnverifiedJwt::parse("JUNK").unwrap_err(), JwtRejection::Malformed);
    /// ```
    pub fn parse(token: &'a str) -> Result<Self, JwtRejection> {
        if token.len() > MAX_JWT_BYTES {
            return Err(JwtRejection::Malformed);
        }
        let mut compact = Compact::parse(token).ok_or(JwtRejection::Malformed)?;
        let Some(Value::String(algorithm)) = compact.header.remove("alg") else {
            return Err(JwtRejection::Malformed);
        };
        // Extensions that must be understood (RFC 7515, section 4.1.11): none is.
        if compact.header.contains_key("crit") {
            return Err(JwtRejection::Malformed);
        }
        Ok(Self {
            algorithm: algorithm
                .parse()
                .map_err(|_| JwtRejection::UnsupportedAlgorithm)?,
            kid: optional_string(&mut compact.header, "kid")?,
            typ: optional_string(&mut compact.header, "typ")?,
            signed: compact.signed,
            signature: compact.signature,
            claims: compact.payload,
        })
    }

    /// The claimed `iss`, to look up whose token it may be.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// The conditions on the header, which come before the signature.
    ///
    /// # Errors
    ///
    /// [`JwtRejection::UnsupportedAlgorithm`] or [`JwtRejection::WrongType`].
    pub fn check_header(&self, conditions: &JwtConditions) -> Result<(), JwtRejection> {
        if !conditions.algorithms.contains(&self.algorithm) {
            return Err(JwtRejection::UnsupportedAlgorithm);
        }
        let is_accepted = |typ: &String| {
            let mut accepted = conditions.types.iter();
            accepted.any(|accepted| subtype(accepted).eq_ignore_ascii_case(subtype(typ)))
        };
        if conditions.types.is_empty() || self.typ.as_ref().is_some_and(is_accepted) {
            Ok(())
        } else {
            Err(JwtRejection::WrongType)
        }
    }

    /// The conditions on the claims. They count for nothing before the signature was verified.
    ///
    /// # Errors
    ///
    /// [`JwtRejection::Malformed`] and those after [`JwtRejection::BadSignature`].
    pub fn check_claims(&self, conditions: &JwtConditions, now_s: u64) -> Result<(), JwtRejection> {
        let leeway = conditions.leeway_s;
        match self.time("exp")? {
            Some(expires) if expires <= now_s.saturating_sub(leeway) => {
                return Err(JwtRejection::Expired);
            }
            None if conditions.must_expire => return Err(JwtRejection::Expired),
            _ => {}
        }
        let starts = self.time("nbf")?;
        if starts.is_some_and(|starts| starts > now_s.saturating_add(leeway)) {
            return Err(JwtRejection::NotYetValid);
        }
        let expected = conditions.issuer.as_deref();
        if expected.is_some_and(|expected| self.issuer() != Some(expected)) {
            return Err(JwtRejection::WrongIssuer);
        }
        let audience = self.claims.get("aud");
        if conditions.audiences.is_empty() || names_one(audience, &conditions.audiences) {
            Ok(())
        } else {
            Err(JwtRejection::WrongAudience)
        }
    }

    /// The claims, for whoever has verified them.
    #[must_use]
    pub fn into_verified(self) -> VerifiedJwt {
        VerifiedJwt {
            claims: self.claims,
        }
    }

    /// A time in whole seconds; whatever lies before 1970 is 1970.
    fn time(&self, name: &str) -> Result<Option<u64>, JwtRejection> {
        let Some(value) = self.claims.get(name) else {
            return Ok(None);
        };
        let whole = value.as_u64();
        // The cast saturates.
        let seconds = whole.or_else(|| value.as_f64().map(|fraction| fraction as u64));
        seconds.map(Some).ok_or(JwtRejection::Malformed)
    }
}

/// A media type without the `application/` that may be left out (RFC 7515, section 4.1.9).
fn subtype(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.get(..PREFIX.len()) {
        Some(start) if start.eq_ignore_ascii_case(PREFIX) => &typ[PREFIX.len()..],
        _ => typ,
    }
}

fn names_one(audience: Option<&Value>, accepted: &[String]) -> bool {
    let is_accepted = |value: &Value| accepted.iter().any(|accepted| value == accepted.as_str());
    match audience {
        Some(Value::Array(list)) => list.iter().any(is_accepted),
        Some(value) => is_accepted(value),
        None => false,
    }
}

fn optional_string(
    object: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<String>, JwtRejection> {
    match object.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JwtRejection::Malformed),
    }
}
