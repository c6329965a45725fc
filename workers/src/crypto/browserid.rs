use crypto_jobs::{
    IssuerFinding, Jws, MAX_ISSUER_KEYS, PublicKey, Rejection, SignatureAlgorithm, Unverified,
    VerifyReply, VerifyRequest,
};

use super::verifying_key::VerifyingKey;

/// Verifies an assertion: everything that [`Rejection`] lists, in its order.
///
/// # Errors
///
/// The first [`Rejection`] that applies.
pub fn verify(request: &VerifyRequest) -> VerifyReply {
    let claims = Unverified::parse(&request.assertion)?;
    claims.check(&request.audience, request.now_ms)?;
    let issuer_keys = usable_keys(&request.issuer)?;
    claims.check_certificate_times(request.now_ms)?;
    verify_jws(&claims.certificate, &issuer_keys, &request.algorithms)?;
    let user_key = VerifyingKey::parse(&claims.user_key).ok_or(Rejection::BadSignature)?;
    verify_jws(&claims.assertion, &[user_key], &request.algorithms)?;
    Ok(claims.into_verified())
}

fn usable_keys(finding: &IssuerFinding) -> Result<Vec<VerifyingKey>, Rejection> {
    let keys: &[PublicKey] = match finding {
        IssuerFinding::Known { keys } => keys,
        IssuerFinding::Untrusted => return Err(Rejection::UntrustedIssuer),
        IssuerFinding::Unusable => return Err(Rejection::UnusableIssuer),
        IssuerFinding::Unavailable => return Err(Rejection::IssuerUnavailable),
    };
    let usable: Vec<_> = keys
        .iter()
        .take(MAX_ISSUER_KEYS)
        .filter_map(VerifyingKey::parse)
        .collect();
    if usable.is_empty() {
        Err(Rejection::UnusableIssuer)
    } else {
        Ok(usable)
    }
}

/// Whether one of `keys` made the signature. The algorithm must be the one that belongs to the key:
/// the header only says which keys to try, never how.
fn verify_jws(
    jws: &Jws<'_>,
    keys: &[VerifyingKey],
    accepted: &[SignatureAlgorithm],
) -> Result<(), Rejection> {
    let algorithm: SignatureAlgorithm = jws
        .algorithm
        .parse()
        .map_err(|_| Rejection::UnsupportedAlgorithm)?;
    if !accepted.contains(&algorithm) {
        return Err(Rejection::UnsupportedAlgorithm);
    }
    let mut fitting = keys
        .iter()
        .filter(|key| key.algorithm() == algorithm)
        .peekable();
    if fitting.peek().is_none() {
        return Err(Rejection::UnsupportedAlgorithm);
    }
    if fitting.any(|key| key.verify(jws.signed.as_bytes(), &jws.signature)) {
        Ok(())
    } else {
        Err(Rejection::BadSignature)
    }
}
