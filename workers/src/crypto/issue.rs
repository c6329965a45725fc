use std::borrow::Cow;

use crypto_jobs::{
    Encryption, IssueRefusal, IssueReply, IssueRequest, IssuedToken, Payload, Secret, SyncClaims,
    TokenFormat, TokenSecret,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    hkdf, jwe, jwt,
    metrics::{self, Hashes},
    tokenlib,
};

/// Issues a token.
///
/// # Errors
///
/// [`IssueRefusal`] when the payload or the key is not what the format needs.
pub fn issue(request: IssueRequest) -> IssueReply {
    let hashes = request.metrics.as_ref().map(metrics::hash);
    let (token, key) = match request.format {
        TokenFormat::Tokenlib { secret, payload } => {
            let (token, key) = tokenlib_token(&secret, payload, hashes.as_ref())?;
            (token, Some(key))
        }
        TokenFormat::Jwt {
            algorithm,
            key,
            kid,
            typ,
            claims,
            secret,
            encryption,
        } => {
            let mut claims: Map<String, Value> =
                serde_json::from_str(&claims).map_err(|_| IssueRefusal::InvalidPayload)?;
            if let Some(hashes) = &hashes {
                claims.insert("hashed_fxa_uid".into(), hashes.fxa_uid.as_str().into());
                claims.insert("hashed_device_id".into(), hashes.device_id.as_str().into());
            }
            let token = jwt::sign(algorithm, &key, kid.as_deref(), typ.as_deref(), &claims)?;
            jwt_token(token, secret.as_ref(), encryption.as_ref(), &claims)?
        }
    };
    let (hashed_fxa_uid, hashed_device_id) = hashes
        .map(|Hashes { fxa_uid, device_id }| (fxa_uid, device_id))
        .unzip();
    Ok(IssuedToken {
        token,
        key,
        hashed_fxa_uid,
        hashed_device_id,
    })
}

fn tokenlib_token(
    secret: &TokenSecret,
    payload: Payload,
    hashes: Option<&Hashes>,
) -> Result<(String, String), IssueRefusal> {
    let secret = resolve(secret)?;
    let secret = secret.expose();
    let (text, salt) = match payload {
        Payload::Json(text) => {
            let salt = salt_of(&text)?;
            (text, salt)
        }
        Payload::Sync(claims) => (sync_payload(&claims, hashes), claims.salt),
    };
    let token = tokenlib::make(secret, &text);
    let key = tokenlib::derived_key(secret, &token, &salt);
    Ok((token, key))
}

/// Encrypts a signed JWT where that is asked for, and derives the key that belongs to the result.
fn jwt_token(
    token: String,
    secret: Option<&TokenSecret>,
    encryption: Option<&Encryption>,
    claims: &Map<String, Value>,
) -> Result<(String, Option<String>), IssueRefusal> {
    let Some(secret) = secret else {
        // There is nothing to encrypt with.
        return match encryption {
            None => Ok((token, None)),
            Some(_) => Err(IssueRefusal::InvalidKey),
        };
    };
    let secret = resolve(secret)?;
    let salt = claims.get("salt").and_then(Value::as_str);
    let salt = salt.ok_or(IssueRefusal::InvalidPayload)?;
    let token = match encryption {
        Some(encryption) => jwe::encrypt(&token, secret.expose(), encryption),
        None => token,
    };
    let key = tokenlib::derived_key(secret.expose(), &token, salt);
    Ok((token, Some(key)))
}

fn resolve(secret: &TokenSecret) -> Result<Cow<'_, Secret>, IssueRefusal> {
    let secret = match secret {
        TokenSecret::Fixed(secret) => Cow::Borrowed(secret),
        TokenSecret::PerNode { master, node } => {
            Cow::Owned(node_secret(master, node).ok_or(IssueRefusal::InvalidKey)?)
        }
    };
    if secret.expose().is_empty() {
        return Err(IssueRefusal::InvalidKey);
    }
    Ok(secret)
}

/// The secret of one node: as many bytes of HKDF as `master` has pairs of characters, in hexadecimal.
///
/// `None` when `master` is too short to derive anything, or longer than HKDF's output can be.
#[must_use]
pub fn node_secret(master: &Secret, node: &str) -> Option<Secret> {
    let master = master.expose();
    let bytes = master.len() / 2;
    if bytes == 0 {
        return None;
    }
    let info = [hkdf::NODE_SECRET, node.as_bytes()];
    let secret = hkdf::derive(master, None, &info, bytes)?;
    Some(Secret::from(metrics::hex(&secret)))
}

fn salt_of(payload: &str) -> Result<String, IssueRefusal> {
    let mut payload: Map<String, Value> =
        serde_json::from_str(payload).map_err(|_| IssueRefusal::InvalidPayload)?;
    match payload.remove("salt") {
        Some(Value::String(salt)) => Ok(salt),
        _ => Err(IssueRefusal::InvalidPayload),
    }
}

/// What a token for Sync says, in the order in which the members are written.
#[derive(Serialize)]
struct SyncPayload<'a> {
    uid: u64,
    node: &'a str,
    expires: u64,
    fxa_uid: &'a str,
    fxa_kid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashed_fxa_uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashed_device_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokenserver_origin: Option<&'a str>,
    salt: &'a str,
}

fn sync_payload(claims: &SyncClaims, hashes: Option<&Hashes>) -> String {
    let payload = SyncPayload {
        uid: claims.uid,
        node: &claims.node,
        expires: claims.expires,
        fxa_uid: &claims.fxa_uid,
        fxa_kid: &claims.fxa_kid,
        hashed_fxa_uid: hashes.map(|hashes| hashes.fxa_uid.as_str()),
        hashed_device_id: hashes.map(|hashes| hashes.device_id.as_str()),
        tokenserver_origin: claims.tokenserver_origin.as_deref(),
        salt: &claims.salt,
    };
    serde_json::to_string(&payload).expect("text and numbers can always be written as JSON")
}
