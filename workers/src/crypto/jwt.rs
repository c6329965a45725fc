use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto_jobs::{
    DescribeKeysReply, DescribeKeysRequest, IssueRefusal, JwtAlgorithm, KeyDescription, Secret,
    UnusableKey,
};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::Sha256;

use super::{jwe, signing_key::SigningKey};

/// Shortest key for HS256, in bytes (RFC 7518, section 3.2).
const MIN_HMAC_KEY_BYTES: usize = 32;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    typ: Option<&'a str>,
    kid: &'a str,
}

/// Signs the claims and returns the JWS in compact form.
pub(super) fn sign(
    algorithm: JwtAlgorithm,
    key: &Secret,
    kid: Option<&str>,
    typ: Option<&str>,
    claims: &Map<String, Value>,
) -> Result<String, IssueRefusal> {
    let unsigned = |own_kid: &str| {
        let header = Header {
            alg: algorithm.name(),
            typ,
            kid: kid.unwrap_or(own_kid),
        };
        format!("{}.{}", segment(&header), segment(claims))
    };
    let (signed, signature) = if algorithm == JwtAlgorithm::Hs256 {
        let key = key.expose();
        if key.len() < MIN_HMAC_KEY_BYTES {
            return Err(IssueRefusal::InvalidKey);
        }
        let signed = unsigned(&jwe::secret_id(key));
        let mac = Hmac::<Sha256>::new_from_slice(key)
            .expect("HMAC takes keys of any length")
            .chain_update(signed.as_bytes());
        (signed, mac.finalize().into_bytes().to_vec())
    } else {
        let key = SigningKey::of(key).filter(|key| key.algorithm() == algorithm);
        let key = key.ok_or(IssueRefusal::InvalidKey)?;
        let signed = unsigned(key.kid());
        let signature = key.sign(signed.as_bytes());
        (signed, signature.ok_or(IssueRefusal::InvalidKey)?)
    };
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Tells the public halves of private keys.
///
/// # Errors
///
/// [`UnusableKey`] names the first one that is none.
pub fn describe(request: &DescribeKeysRequest) -> DescribeKeysReply {
    let keys = request.keys.iter().enumerate();
    keys.map(|(index, der)| {
        let key = SigningKey::of(der).ok_or(UnusableKey { index })?;
        let mut jwk = key.jwk().clone();
        for (name, value) in [
            ("alg", key.algorithm().name()),
            ("kid", key.kid()),
            ("use", "sig"),
        ] {
            jwk.insert(name.to_owned(), value.into());
        }
        Ok(KeyDescription {
            algorithm: key.algorithm(),
            kid: key.kid().to_owned(),
            jwk,
        })
    })
    .collect()
}

fn segment(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).expect("JSON can always be written again");
    URL_SAFE_NO_PAD.encode(text)
}
