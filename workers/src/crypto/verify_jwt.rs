use crypto_jobs::{
    Jwk, JwsAlgorithm, JwtRejection, KeyMaterial, MAX_JWT_KEYS, UnverifiedJwt, VerifyJwtReply,
    VerifyJwtRequest,
};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    crypto::{CryptoProvider, aws_lc},
};

/// Verifies a JWT: everything that [`JwtRejection`] lists, in its order. The key must fit the
/// algorithm: the header only says which keys to try, never how.
///
/// # Errors
///
/// The first [`JwtRejection`] that applies.
pub fn verify(request: &VerifyJwtRequest) -> VerifyJwtReply {
    let token = UnverifiedJwt::parse(&request.token)?;
    token.check_header(&request.conditions)?;
    let mut fitting = request
        .keys
        .iter()
        .take(MAX_JWT_KEYS)
        .filter(|key| key.fits(token.algorithm))
        .peekable();
    if fitting.peek().is_none() {
        return Err(JwtRejection::NoKey);
    }
    let signed = token.signed.as_bytes();
    if !fitting.any(|key| is_signature(key, token.algorithm, signed, &token.signature)) {
        return Err(JwtRejection::BadSignature);
    }
    token.check_claims(&request.conditions, request.now_s)?;
    Ok(token.into_verified())
}

fn decoding_key(key: &Jwk) -> Option<DecodingKey> {
    match &key.material {
        KeyMaterial::Rsa { n, e } => DecodingKey::from_rsa_components(n, e),
        KeyMaterial::Ec { x, y, .. } => DecodingKey::from_ec_components(x, y),
        KeyMaterial::Okp { x, .. } => DecodingKey::from_ed_components(x),
    }
    .ok()
}

/// Whether `signature` is the key's of `message`. A malformed key made none.
pub(super) fn is_signature(
    key: &Jwk,
    algorithm: JwsAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> bool {
    // Named, so that no other crate's choice of features changes what verifies here.
    const PROVIDER: &CryptoProvider = &aws_lc::DEFAULT_PROVIDER;
    let algorithm = match algorithm {
        JwsAlgorithm::Rs256 => Algorithm::RS256,
        JwsAlgorithm::Rs384 => Algorithm::RS384,
        JwsAlgorithm::Rs512 => Algorithm::RS512,
        JwsAlgorithm::Ps256 => Algorithm::PS256,
        JwsAlgorithm::Ps384 => Algorithm::PS384,
        JwsAlgorithm::Ps512 => Algorithm::PS512,
        JwsAlgorithm::Es256 => Algorithm::ES256,
        JwsAlgorithm::Es384 => Algorithm::ES384,
        JwsAlgorithm::EdDsa => Algorithm::EdDSA,
    };
    let Some(key) = decoding_key(key) else {
        return false;
    };
    (PROVIDER.verifier_factory)(&algorithm, &key)
        .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
}
