//! What all Bearer tokens have in common: keys are looked up here, signatures checked by a worker.

use std::{fs, path::Path};

use crypto_jobs::{
    JwtConditions, JwtRejection, UnverifiedJwt, VerifiedJwt, VerifyJwtReply, VerifyJwtRequest,
};
use serde_json::{Map, Value};

use super::{IdentitiesError, Identity, blame_credentials};
use crate::{
    app::App,
    client_state::ClientState,
    clock::Arrival,
    failure::Failure,
    keys::{KeySet, Keys},
};

/// Longest name of a user: the column of the database has room for no more.
const MAX_EMAIL_CHARS: usize = 255;

/// Has a JWT verified. What is hopeless at first sight costs neither a fetch nor a job.
pub(super) async fn verify(
    app: &App,
    issuer: &Keys,
    token: &str,
    conditions: JwtConditions,
    arrival: &Arrival,
) -> Result<VerifiedJwt, Failure> {
    let keys = {
        let parsed = UnverifiedJwt::parse(token)?;
        parsed.check_header(&conditions)?;
        issuer.find(&parsed).await.map_err(Failure::Keys)?
    };
    if keys.is_empty() {
        return Err(JwtRejection::NoKey.into());
    }
    let mut request = VerifyJwtRequest {
        token: token.to_owned(),
        keys,
        now_s: arrival.now_s(),
        conditions,
    };
    let reply = ask(app, &request, arrival).await?;
    if let Err(JwtRejection::BadSignature) = reply {
        let parsed = UnverifiedJwt::parse(token)?;
        if let Some(others) = issuer.find_others(&parsed, &request.keys).await {
            request.keys = others;
            return Ok(ask(app, &request, arrival).await??);
        }
    }
    Ok(reply?)
}

async fn ask(
    app: &App,
    request: &VerifyJwtRequest,
    arrival: &Arrival,
) -> Result<VerifyJwtReply, Failure> {
    let reply = app.crypto().verify_jwt(request, arrival).await;
    reply.map_err(blame_credentials)
}

/// Reads a file of keys.
pub(super) fn read_keys(path: &Path) -> Result<KeySet, IdentitiesError> {
    let bytes = fs::read(path).map_err(|error| IdentitiesError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    KeySet::parse(&bytes).map_err(|reason| IdentitiesError::Unusable {
        path: path.to_owned(),
        reason,
    })
}

/// The account called `subject` at `domain`. Not every text that an issuer signs can be a user's name.
pub(super) fn identity(subject: String, domain: &str, issuer: String) -> Result<Identity, Failure> {
    let email = format!("{subject}@{domain}");
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    if subject.is_empty() || !subject.chars().all(plain) || email.chars().count() > MAX_EMAIL_CHARS
    {
        return Err(Failure::Subject);
    }
    Ok(Identity {
        email,
        subject,
        issuer,
        generation: 0,
        keys_changed_at: 0,
        client_state: ClientState::default(),
        device_id: None,
    })
}

/// Whether a token has a scope. Lists of them are written with spaces, with commas, or as lists.
pub(super) fn has_scope(claims: &Map<String, Value>, scope: &str) -> bool {
    let lists = [claims.get("scope"), claims.get("scp")];
    lists.into_iter().flatten().any(|list| match list {
        Value::String(text) => text
            .split(|c: char| c == ',' || c.is_ascii_whitespace())
            .any(|word| word == scope),
        Value::Array(words) => words.iter().any(|word| word == scope),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scopes_are_whole_words_of_a_list() {
        let has = |claims: Value| has_scope(claims.as_object().unwrap(), "sync");
        for good in [
            json!({"scope": "sync"}),
            json!({"scope": "profile sync"}),
            json!({"scope": "profile,sync"}),
            json!({"scope": ["profile", "sync"]}),
            json!({"scp": "sync"}),
        ] {
            assert!(has(good.clone()), "{good}");
        }
        for bad in [
            json!({}),
            json!({"scope": "syncs"}),
            json!({"scope": "sync:write"}),
            json!({"scope": 1}),
            json!({"other": "sync"}),
        ] {
            assert!(!has(bad.clone()), "{bad}");
        }
    }

    #[test]
    fn users_have_names_that_the_database_can_hold() {
        let of = |subject: &str| identity(subject.to_owned(), "d.test", "i".to_owned());
        assert_eq!(of("a|b").unwrap().email, "a|b@d.test");
        for bad in ["", "a b", "a\n", "a\0", &"x".repeat(250)] {
            assert!(matches!(of(bad), Err(Failure::Subject)), "{bad:?}");
        }
    }
}
