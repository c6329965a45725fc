use serde_json::{Map, Value};

use crate::{PublicKey, Rejection, VerifiedAssertion, address, compact::Compact};

/// The longest assertion that is looked at, in bytes: 16 KiB. Real ones have 1.5 to 4 KiB.
pub const MAX_ASSERTION_BYTES: usize = 16 * 1024;

/// Claim names with a meaning of their own, which are never passed on as further claims.
const RESERVED: [&str; 10] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "public-key",
    "pubkey",
    "principal",
];

/// What an assertion claims about its origin, for the lookup of the issuer's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peek {
    /// The host (and port) that is said to have signed the certificate.
    pub issuer: String,
    /// The host (and port) of the email address.
    pub email_host: String,
    /// The one of the expected audiences that it names.
    pub audience: String,
}

/// Reads who is said to have issued an assertion, **without verifying anything**, and runs the checks
/// that need no key: so nobody is asked for the key of an assertion that would be refused anyway.
///
/// # Errors
///
/// The [`Rejection`] that a worker would report for the same assertion and clock, and any of `audiences`.
///
/// ```
/// use crypto_jobs::{Rejection, peek};
///
/// assert_eq!(peek("JUNK", ["https://token.example"], 0), Err(Rejection::Malformed));
/// ```
pub fn peek<'a>(
    assertion: &str,
    audiences: impl IntoIterator<Item = &'a str>,
    now_ms: u64,
) -> Result<Peek, Rejection> {
    let claims = Unverified::parse(assertion)?;
    let named = |audience: &&str| *audience == claims.audience;
    let Some(audience) = audiences.into_iter().find(named) else {
        return Err(Rejection::AudienceMismatch);
    };
    let email_host = claims.check(audience, now_ms)?;
    Ok(Peek {
        audience: audience.to_owned(),
        email_host: email_host.to_owned(),
        issuer: claims.issuer,
    })
}

/// One signed object: the parts that a signature check needs.
#[derive(Clone, Debug)]
pub struct Jws<'a> {
    /// The header's `alg`, as it stands there.
    pub algorithm: String,
    /// The text that was signed: header and payload segments with the dot between them.
    pub signed: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
}

/// A parsed assertion of which nothing has been verified.
#[derive(Clone, Debug)]
pub struct Unverified<'a> {
    /// The issuer's signature over the user's key and address.
    pub certificate: Jws<'a>,
    /// The user's signature over audience and time.
    pub assertion: Jws<'a>,
    /// The key that the certificate vouches for.
    pub user_key: PublicKey,
    /// The certificate's `iss`.
    pub issuer: String,
    /// The certificate's `principal.email`.
    pub email: String,
    /// Number of certificates; only the first was read.
    certificates: usize,
    audience: String,
    certificate_times: Times,
    assertion_times: Times,
    idp_claims: Map<String, Value>,
    user_claims: Map<String, Value>,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    expires_ms: u64,
    issued_ms: Option<u64>,
}

impl<'a> Unverified<'a> {
    /// Parses `certificate~assertion`. Of a JSON member that occurs twice the last one counts; more
    /// than 128 levels of nesting are refused.
    ///
    /// # Errors
    ///
    /// [`Rejection::Malformed`] when the text is longer than [`MAX_ASSERTION_BYTES`] or is no bundle.
    pub fn parse(text: &'a str) -> Result<Self, Rejection> {
        if text.len() > MAX_ASSERTION_BYTES {
            return Err(Rejection::Malformed);
        }
        let (certificates, assertion) = text.rsplit_once('~').ok_or(Rejection::Malformed)?;
        let mut certificates = certificates.split('~');
        let first = certificates.next().ok_or(Rejection::Malformed)?;
        let (certificate, mut idp_claims) = parse_jws(first)?;
        let (assertion, mut user_claims) = parse_jws(assertion)?;

        let certificate_times = Times::take(&mut idp_claims)?;
        let assertion_times = Times::take(&mut user_claims)?;
        let issuer = take_string(&mut idp_claims, "iss")?;
        let audience = take_string(&mut user_claims, "aud")?;
        let user_key = idp_claims
            .remove("public-key")
            .ok_or(Rejection::Malformed)?;
        let user_key = serde_json::from_value(user_key).map_err(|_| Rejection::Malformed)?;
        let Some(Value::Object(mut principal)) = idp_claims.remove("principal") else {
            return Err(Rejection::Malformed);
        };
        let email = take_string(&mut principal, "email")?;
        for (name, value) in principal {
            idp_claims.entry(name).or_insert(value);
        }
        idp_claims.retain(|name, _| !RESERVED.contains(&name.as_str()));
        user_claims.retain(|name, _| !RESERVED.contains(&name.as_str()));

        Ok(Self {
            certificate,
            assertion,
            user_key,
            issuer,
            email,
            certificates: 1 + certificates.count(),
            audience,
            certificate_times,
            assertion_times,
            idp_claims,
            user_claims,
        })
    }

    /// The checks that come before the issuer's key is needed. Returns the email's host.
    ///
    /// # Errors
    ///
    /// The first that fails of: audience, number of certificates, the assertion's times, email
    /// address, issuer's name.
    pub fn check(&self, audience: &str, now_ms: u64) -> Result<&str, Rejection> {
        if self.audience != audience {
            return Err(Rejection::AudienceMismatch);
        }
        if self.certificates > 1 {
            return Err(Rejection::UnsupportedChain);
        }
        self.assertion_times.check(now_ms)?;
        let host = address::email_host(&self.email).ok_or(Rejection::InvalidEmail)?;
        if !address::is_host(&self.issuer) {
            return Err(Rejection::UntrustedIssuer);
        }
        Ok(host)
    }

    /// Whether the certificate is valid at `now_ms`.
    ///
    /// # Errors
    ///
    /// [`Rejection::Expired`] or [`Rejection::NotYetValid`].
    pub fn check_certificate_times(&self, now_ms: u64) -> Result<(), Rejection> {
        self.certificate_times.check(now_ms)
    }

    /// What the assertion says, for whoever has verified it.
    #[must_use]
    pub fn into_verified(self) -> VerifiedAssertion {
        VerifiedAssertion {
            email: self.email,
            issuer: self.issuer,
            audience: self.audience,
            idp_claims: self.idp_claims,
            user_claims: self.user_claims,
            expires_ms: self.assertion_times.expires_ms,
        }
    }
}

impl Times {
    fn take(claims: &mut Map<String, Value>) -> Result<Self, Rejection> {
        let expires_ms = claims.remove("exp").ok_or(Rejection::Malformed)?;
        Ok(Self {
            expires_ms: milliseconds(&expires_ms)?,
            issued_ms: claims
                .remove("iat")
                .as_ref()
                .map(milliseconds)
                .transpose()?,
        })
    }

    fn check(self, now_ms: u64) -> Result<(), Rejection> {
        if self.expires_ms < now_ms {
            Err(Rejection::Expired)
        } else if self.issued_ms.is_some_and(|issued| issued > now_ms) {
            Err(Rejection::NotYetValid)
        } else {
            Ok(())
        }
    }
}

/// A time in milliseconds since 1970; whatever lies before that is 1970.
fn milliseconds(value: &Value) -> Result<u64, Rejection> {
    let Value::Number(number) = value else {
        return Err(Rejection::Malformed);
    };
    if let Some(whole) = number.as_u64() {
        return Ok(whole);
    }
    // The cast saturates.
    number
        .as_f64()
        .map(|fraction| fraction as u64)
        .ok_or(Rejection::Malformed)
}

fn take_string(object: &mut Map<String, Value>, name: &str) -> Result<String, Rejection> {
    match object.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Rejection::Malformed),
    }
}

fn parse_jws(text: &str) -> Result<(Jws<'_>, Map<String, Value>), Rejection> {
    let mut compact = Compact::parse(text).ok_or(Rejection::Malformed)?;
    let jws = Jws {
        algorithm: take_string(&mut compact.header, "alg")?,
        signed: compact.signed,
        signature: compact.signature,
    };
    Ok((jws, compact.payload))
}
