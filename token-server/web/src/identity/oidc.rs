//! Tokens of any other issuer.

use std::collections::BTreeMap;

use crypto_jobs::JwtConditions;
use reqwest::Url;
use serde_json::{Map, Value};

use super::{IdentitiesError, Identity, jwt};
use crate::{
    app::App,
    clock::Arrival,
    failure::Failure,
    keys::{KeyLocation, Keys},
    outbound,
    settings::{Issuer, Jwks},
};

#[derive(Debug)]
pub(super) struct Oidc {
    name: String,
    keys: Keys,
    conditions: JwtConditions,
    issuer: String,
    domain: String,
    user_claim: String,
    scopes: Vec<String>,
    claims: BTreeMap<String, Value>,
}

impl Oidc {
    pub(super) fn new(name: &str, settings: &Issuer, jwks: &Jwks) -> Result<Self, IdentitiesError> {
        let (location, urls): (_, Vec<Url>) = match (&settings.jwks_file, &settings.jwks_uri) {
            (Some(path), _) => (KeyLocation::Fixed(jwt::read_keys(path)?), Vec::new()),
            (None, Some(uri)) => (KeyLocation::Set(uri.url().clone()), vec![uri.url().clone()]),
            (None, None) => {
                let configuration = settings
                    .configuration()
                    .ok_or_else(|| IdentitiesError::NoKeys(settings.issuer.clone()))?;
                let location = KeyLocation::Discovery {
                    issuer: settings.issuer.clone(),
                    configuration: configuration.clone(),
                };
                (location, vec![configuration])
            }
        };
        Ok(Self {
            name: name.to_owned(),
            keys: Keys::new(name, location, outbound::client(&urls)?, jwks),
            conditions: JwtConditions {
                algorithms: settings.algorithms.clone(),
                types: settings.types.clone(),
                issuer: Some(settings.issuer.clone()),
                audiences: settings.audiences.clone(),
                must_expire: true,
                leeway_s: settings.leeway.as_secs(),
            },
            issuer: settings.issuer.clone(),
            domain: settings.domain().unwrap_or_default(),
            user_claim: settings.user_claim.clone(),
            scopes: settings.scopes.clone(),
            claims: settings.claims.clone(),
        })
    }

    /// The section's name in the settings.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its tokens' `iss`.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) async fn verify(
        &self,
        app: &App,
        token: &str,
        arrival: &Arrival,
    ) -> Result<Identity, Failure> {
        let conditions = self.conditions.clone();
        let verified = jwt::verify(app, &self.keys, token, conditions, arrival).await?;
        self.read_claims(&verified.claims)
    }

    fn read_claims(&self, claims: &Map<String, Value>) -> Result<Identity, Failure> {
        if !self
            .scopes
            .iter()
            .all(|scope| jwt::has_scope(claims, scope))
        {
            return Err(Failure::Scope);
        }
        let mut conditions = self.claims.iter();
        if !conditions.all(|(name, expected)| meets(find(claims, name), expected)) {
            return Err(Failure::Claim);
        }
        let subject = match find(claims, &self.user_claim) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(Failure::Subject),
        };
        jwt::identity(subject, &self.domain, self.issuer.clone())
    }
}

/// A claim by its name, or by its path through objects: `realm_access.roles`.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        find(claims.get(first)?.as_object()?, rest)
    })
}

/// Whether a claim is, or contains, what is expected, or one of several things that are.
fn meets(claim: Option<&Value>, expected: &Value) -> bool {
    match (claim, expected) {
        (None, _) => false,
        (claim, Value::Array(any)) => any.iter().any(|expected| meets(claim, expected)),
        (Some(Value::Array(list)), expected) => list.contains(expected),
        (Some(claim), expected) => claim == expected,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_are_values_or_lists_of_them() {
        for (claim, expected, met) in [
            (json!("a"), json!("a"), true),
            (json!("a"), json!("b"), false),
            (json!(true), json!(true), true),
            (json!("true"), json!(true), false),
            (json!(["a", "b"]), json!("b"), true),
            (json!(["a", "b"]), json!("c"), false),
            (json!("b"), json!(["a", "b"]), true),
            (json!(["b", "c"]), json!(["a", "b"]), true),
            (json!(["c"]), json!(["a", "b"]), false),
        ] {
            assert_eq!(meets(Some(&claim), &expected), met, "{claim} {expected}");
        }
        assert!(!meets(None, &json!("a")));
    }

    #[test]
    fn claims_are_found_by_name_or_path() {
        let claims = json!({"a.b": 1, "a": {"b": 2, "c": {"d": 3}}});
        let claims = claims.as_object().unwrap();
        assert_eq!(find(claims, "a.b"), Some(&json!(1)));
        assert_eq!(find(claims, "a.c.d"), Some(&json!(3)));
        assert_eq!(find(claims, "a.c.x"), None);
        assert_eq!(find(claims, "x"), None);
    }
}
