use crypto_jobs::{IssuerFinding, Rejection, VerifiedAssertion, VerifyRequest};
use serde_json::{Map, Value};

use super::{Identity, blame_credentials};
use crate::{
    app::App,
    client_state::ClientState,
    clock::Arrival,
    documents::Documents,
    failure::Failure,
    settings::{Audience, BrowserId},
};

/// Has an assertion verified. What is hopeless at first sight costs neither a fetch nor a job.
pub(super) async fn verify(
    app: &App,
    settings: &BrowserId,
    documents: &Documents,
    assertion: &str,
    client_state: ClientState,
    arrival: &Arrival,
) -> Result<Identity, Failure> {
    let audiences = settings.audience.iter().map(Audience::as_str);
    let peek = crypto_jobs::peek(assertion, audiences, arrival.now_ms)?;
    let issuer = match documents.find_issuer(&peek).await {
        known @ IssuerFinding::Known { .. } => known,
        IssuerFinding::Untrusted => return Err(Rejection::UntrustedIssuer.into()),
        IssuerFinding::Unusable => return Err(Rejection::UnusableIssuer.into()),
        IssuerFinding::Unavailable => return Err(Rejection::IssuerUnavailable.into()),
    };
    let request = VerifyRequest {
        assertion: assertion.to_owned(),
        audience: peek.audience,
        now_ms: arrival.now_ms,
        algorithms: settings.algorithms.clone(),
        issuer,
    };
    let reply = app.crypto().verify(&request, arrival).await;
    from_claims(reply.map_err(blame_credentials)??, client_state)
}

fn from_claims(
    verified: VerifiedAssertion,
    client_state: ClientState,
) -> Result<Identity, Failure> {
    let claims = &verified.idp_claims;
    // Providers that don't tell verified sessions from others send nothing.
    if !matches!(
        claims.get("fxa-tokenVerified"),
        None | Some(Value::Null | Value::Bool(true))
    ) {
        return Err(Failure::UnverifiedSession);
    }
    let subject = match verified.email.split_once('@') {
        Some((subject, _)) => subject.to_owned(),
        None => verified.email.clone(),
    };
    Ok(Identity {
        generation: number(claims, "fxa-generation").ok_or(Failure::GenerationClaim)?,
        keys_changed_at: number(claims, "fxa-keysChangedAt").ok_or(Failure::KeysChangedAtClaim)?,
        device_id: claims
            .get("fxa-deviceId")
            .and_then(Value::as_str)
            .map(str::to_owned),
        client_state,
        subject,
        issuer: verified.issuer,
        email: verified.email,
    })
}

/// A claim that is a number from 0 up; 0 when there is none.
pub(super) fn number(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    let Some(value) = claims.get(name) else {
        return Some(0);
    };
    value.as_i64().filter(|number| *number >= 0)
}

#[cfg(test)]
mod tests {
    use crypto_jobs::VerifiedAssertion;
    use serde_json::{Value, json};

    use super::{ClientState, Failure, Identity, from_claims};

    fn identity(idp_claims: Value) -> Result<Identity, Failure> {
        let Value::Object(idp_claims) = idp_claims else {
            panic!("claims are an object");
        };
        let verified = VerifiedAssertion {
            email: "abc@accounts.example.test".to_owned(),
            issuer: "accounts.example.test".to_owned(),
            audience: "https://token.example.test".to_owned(),
            idp_claims,
            user_claims: serde_json::Map::new(),
            expires_ms: 1,
        };
        from_claims(verified, ClientState::default())
    }

    #[test]
    fn claims_that_are_missing_count_as_zero() {
        let identity = identity(json!({})).unwrap();
        assert_eq!(identity.generation, 0);
        assert_eq!(identity.keys_changed_at, 0);
        assert_eq!(identity.device_id, None);
        assert_eq!(identity.subject, "abc");
    }

    #[test]
    fn a_generation_that_is_no_whole_number_is_refused() {
        for bad in [
            json!("42"),
            json!(null),
            json!(1.5),
            json!([1]),
            json!(true),
            json!(-1),
            json!(1e30),
        ] {
            let outcome = identity(json!({ "fxa-generation": bad }));
            assert!(matches!(outcome, Err(Failure::GenerationClaim)), "{bad}");
        }
    }

    #[test]
    fn a_change_of_keys_that_is_no_whole_number_is_refused() {
        let outcome = identity(json!({ "fxa-keysChangedAt": "42" }));
        assert!(matches!(outcome, Err(Failure::KeysChangedAtClaim)));
    }

    #[test]
    fn an_unverified_session_is_refused() {
        let outcome = identity(json!({ "fxa-tokenVerified": false }));
        assert!(matches!(outcome, Err(Failure::UnverifiedSession)));
        assert!(identity(json!({ "fxa-tokenVerified": true })).is_ok());
        assert!(identity(json!({ "fxa-tokenVerified": null })).is_ok());
    }
}
