//! Access tokens of Mozilla's accounts.

use std::time::Duration;

use crypto_jobs::{JwsAlgorithm, JwtConditions, JwtRejection, MAX_JWT_BYTES};
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::{IdentitiesError, Identity, browserid::number, jwt};
use crate::{
    app::App,
    clock::Arrival,
    failure::Failure,
    keys::{KeyLocation, Keys},
    outbound::{self, OutboundError},
    settings::{self, Jwks},
};

/// Largest answer about one token, in bytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct OAuth {
    keys: Keys,
    email_domain: String,
    scope: String,
    remote: Option<Remote>,
}

/// The server itself, asked about single tokens.
#[derive(Debug)]
struct Remote {
    client: Client,
    url: Url,
    timeout: Duration,
    places: Semaphore,
}

/// What the server says of a token.
#[derive(Deserialize)]
struct Answer {
    user: String,
    scope: Vec<String>,
    generation: Option<i64>,
    issuer: Option<String>,
}

impl OAuth {
    pub(super) fn new(settings: &settings::OAuth, jwks: &Jwks) -> Result<Self, IdentitiesError> {
        let location = match &settings.jwks_file {
            Some(path) => KeyLocation::Fixed(jwt::read_keys(path)?),
            None => KeyLocation::Set(settings.server_url.join("v1/jwks")),
        };
        let client = outbound::client([settings.server_url.url()])?;
        Ok(Self {
            keys: Keys::new("oauth", location, client.clone(), jwks),
            email_domain: settings.email_domain.clone(),
            scope: settings.scope.clone(),
            remote: settings.remote_verify.then(|| Remote {
                client,
                url: settings.server_url.join("v1/verify"),
                timeout: settings.remote_timeout,
                places: Semaphore::new(settings.max_remote_requests.get()),
            }),
        })
    }

    /// The server's keys.
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What stands after the `@` in a user's name.
    pub(super) fn email_domain(&self) -> &str {
        &self.email_domain
    }

    pub(super) async fn verify(
        &self,
        app: &App,
        token: &str,
        arrival: &Arrival,
    ) -> Result<Identity, Failure> {
        let conditions = JwtConditions {
            algorithms: vec![JwsAlgorithm::Rs256],
            types: vec!["at+jwt".to_owned()],
            issuer: None,
            audiences: Vec::new(),
            must_expire: true,
            leeway_s: 0,
        };
        match jwt::verify(app, &self.keys, token, conditions, arrival).await {
            Ok(verified) => self.read_claims(&verified.claims),
            // What cannot be judged here, the server may know.
            Err(failure @ (Failure::Jwt(JwtRejection::Malformed) | Failure::Keys(_))) => {
                match &self.remote {
                    Some(remote) if token.len() <= MAX_JWT_BYTES => {
                        let answer = remote.ask(token).await;
                        self.read_answer(answer.map_err(|error| without_verdict(failure, error))?)
                    }
                    _ => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    fn read_claims(&self, claims: &Map<String, Value>) -> Result<Identity, Failure> {
        if !jwt::has_scope(claims, &self.scope) {
            return Err(Failure::Scope);
        }
        let Some(Value::String(user)) = claims.get("sub") else {
            return Err(Failure::Subject);
        };
        let generation = match claims.get("fxa-generation") {
            Some(Value::Null) => Some(0),
            _ => number(claims, "fxa-generation"),
        };
        Ok(Identity {
            generation: generation.ok_or(Failure::GenerationClaim)?,
            ..jwt::identity(user.clone(), &self.email_domain, self.email_domain.clone())?
        })
    }

    fn read_answer(&self, answer: Answer) -> Result<Identity, Failure> {
        if !answer.scope.contains(&self.scope) {
            return Err(Failure::Scope);
        }
        let generation = answer.generation.unwrap_or_default();
        if generation < 0 {
            return Err(Failure::GenerationClaim);
        }
        let domain = answer.issuer.as_ref().unwrap_or(&self.email_domain);
        Ok(Identity {
            generation,
            ..jwt::identity(answer.user, domain, domain.clone())?
        })
    }
}

impl Remote {
    /// What the server says of a token that it accepts.
    async fn ask(&self, token: &str) -> Result<Answer, OutboundError> {
        let Ok(_place) = self.places.try_acquire() else {
            let error = "too many questions at a time".to_owned();
            return Err(OutboundError::Unavailable(error));
        };
        let request = self
            .client
            .post(self.url.clone())
            .timeout(self.timeout)
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(json!({ "token": token }).to_string());
        let answer = outbound::ask(request, MAX_ANSWER_BYTES).await;
        let body = answer.inspect_err(|error| {
            if let OutboundError::Unavailable(_) = error {
                tracing::warn!(%error, "the accounts server cannot be asked about a token");
            }
        })?;
        serde_json::from_slice(&body).map_err(|_| OutboundError::Unusable("vouches for nobody"))
    }
}

/// What a token comes to that failed here, and that the server does not vouch for.
fn without_verdict(failure: Failure, error: OutboundError) -> Failure {
    let is_unwell =
        |status: StatusCode| status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    match error {
        OutboundError::Unavailable(_) => Failure::Keys(error),
        OutboundError::Refused(status) if is_unwell(status) => {
            tracing::warn!(%error, "the accounts server does not judge a token");
            match failure {
                // It keeps its keys to itself as well, and the token may be a good one.
                Failure::Keys(_) => failure,
                _ => Failure::RemoteRefusal,
            }
        }
        OutboundError::Refused(_) | OutboundError::Unusable(_) => Failure::RemoteRefusal,
    }
}
