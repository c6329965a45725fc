//! Asking a node to remove what it stores for a user, as the user's own client would ask.

use std::{collections::HashMap, time::Duration};

use crypto_jobs::{IssueRequest, IssuedToken, Payload, SyncClaims, TokenFormat};
use hawk::{Credentials, DigestAlgorithm, Key, RequestBuilder};
use reqwest::{
    Client, StatusCode, Url,
    header::{AUTHORIZATION, HeaderValue},
};
use sysexits::ExitCode;
use token_server_web::{
    outbound,
    settings::{Application, TokenKind, TokenSecrets},
    store::{OldRecord, Service},
};
use workers::crypto;

use super::super::options::{Ground, now_ms};
use crate::failure::Failure;

/// How long a token is good for, beyond what the request may take.
const TOKEN_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The nodes of one service.
pub(super) struct Storage<'a> {
    name: &'a str,
    service: Service,
    secrets: &'a TokenSecrets,
    timeout: Duration,
    /// By scheme: a machine without root certificates will do for nodes that are reached without TLS.
    clients: HashMap<String, Client>,
}

/// Why a node has not removed a user's data.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It cannot be asked, or isn't well: whoever comes next would fare no better.
    Away(String),
    /// It gave no answer in time. That may be due to the node or to this user's data.
    Slow,
    /// It refuses this user's request.
    Refused(StatusCode),
}

impl<'a> Storage<'a> {
    pub(super) fn new(
        ground: &'a Ground,
        name: &'a str,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let applications = &ground.settings.applications;
        let application = applications
            .iter()
            .find(|(key, application)| format!("{key}-{}", application.version) == name)
            .map(|(_, application)| application);
        if application.is_some_and(|application| application.token.format == TokenKind::Jwt) {
            return Err(Failure::new(
                ExitCode::Config,
                format!(
                    "the service {name} has tokens of the format jwt, and only nodes that read tokenlib's can be asked to remove data; choose another one with --service"
                ),
            ));
        }
        let pattern = application.and_then(|application| application.endpoint.clone());
        Ok(Self {
            name,
            service: Service {
                id: ground.service.id,
                pattern: pattern.unwrap_or_else(|| ground.service.pattern.clone()),
            },
            secrets: own_secrets(application).unwrap_or(&ground.settings.secrets.token),
            timeout,
            clients: HashMap::new(),
        })
    }

    /// Has `node` remove what belongs to a record. Data that aren't there are removed.
    pub(super) async fn delete(
        &mut self,
        record: &OldRecord,
        node: &str,
        key_id: String,
    ) -> Result<Result<(), Refusal>, Failure> {
        let endpoint = self.service.endpoint(self.name, node, record.uid);
        let Ok(url) = Url::parse(&endpoint) else {
            let problem = format!("{endpoint:?} is not a URL");
            return Ok(Err(Refusal::Away(problem)));
        };
        let Some(token) = self.token(record, node, key_id)? else {
            let problem = "secrets.nodes_file has no secret for it".to_owned();
            return Ok(Err(Refusal::Away(problem)));
        };
        let authorization = authorization(&url, &token)?;
        let request = self.client(&url)?.delete(url);
        let request = request.header(AUTHORIZATION, authorization);
        let answer = request.timeout(self.timeout).send().await;
        Ok(answer
            .map_err(refusal_of_error)
            .and_then(|response| refusal_of_status(response.status())))
    }

    /// A token for the record's user. `None` when there is no secret for the node.
    fn token(
        &self,
        record: &OldRecord,
        node: &str,
        key_id: String,
    ) -> Result<Option<IssuedToken>, Failure> {
        let Some(secret) = self.secrets.newest(node) else {
            return Ok(None);
        };
        let uid = record.uid;
        let uid = u64::try_from(uid).map_err(|_| {
            Failure::new(
                ExitCode::DataErr,
                format!("the table of users has a uid {uid}"),
            )
        })?;
        let now_s = now_ms().unsigned_abs() / 1000;
        let [a, b, c]: [u8; 3] = rand::random();
        let claims = SyncClaims {
            uid,
            node: node.to_owned(),
            expires: now_s + (TOKEN_LIFETIME + self.timeout).as_secs(),
            fxa_uid: record
                .email
                .split('@')
                .next()
                .unwrap_or_default()
                .to_owned(),
            fxa_kid: key_id,
            tokenserver_origin: None,
            salt: format!("{a:02x}{b:02x}{c:02x}"),
        };
        let format = TokenFormat::Tokenlib {
            secret,
            payload: Payload::Sync(claims),
        };
        let issued = crypto::issue_token(IssueRequest {
            format,
            metrics: None,
        });
        issued.map(Some).map_err(|refusal| {
            Failure::new(
                ExitCode::Config,
                format!("no token can be made for {node}: {refusal}; see the secrets"),
            )
        })
    }

    fn client(&mut self, url: &Url) -> Result<Client, Failure> {
        if let Some(client) = self.clients.get(url.scheme()) {
            return Ok(client.clone());
        }
        let client = outbound::client([url])
            .map_err(|error| Failure::new(ExitCode::OsFile, error.to_string()))?;
        let known = self.clients.entry(url.scheme().to_owned());
        Ok(known.or_insert(client).clone())
    }
}

fn own_secrets(application: Option<&Application>) -> Option<&TokenSecrets> {
    application?.secret.as_ref()
}

/// The header of a client that has the token and its key.
fn authorization(url: &Url, token: &IssuedToken) -> Result<HeaderValue, Failure> {
    let unsigned = |error: String| {
        let message = format!("cannot sign a request to {url}: {error}");
        Failure::new(ExitCode::Software, message)
    };
    let key = token.key.as_deref().unwrap_or_default();
    let credentials = Credentials {
        id: token.token.clone(),
        key: Key::new(key, DigestAlgorithm::Sha256).map_err(|error| unsigned(error.to_string()))?,
    };
    let header = RequestBuilder::from_url("DELETE", url)
        .and_then(|request| request.request().make_header(&credentials))
        .map_err(|error| unsigned(error.to_string()))?;
    let mut value = HeaderValue::try_from(format!("Hawk {header}"))
        .map_err(|error| unsigned(error.to_string()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn refusal_of_error(error: reqwest::Error) -> Refusal {
    if error.is_timeout() && !error.is_connect() {
        Refusal::Slow
    } else {
        Refusal::Away(outbound::cause(error))
    }
}

fn refusal_of_status(status: StatusCode) -> Result<(), Refusal> {
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::NOT_FOUND => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Refusal::Away(format!(
            "it answered {status}: it has another secret, or another time"
        ))),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Err(Refusal::Away(format!("it answered {status}"))),
        _ => Err(Refusal::Refused(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_has_no_data_any_more_has_removed_them() {
        for status in [
            StatusCode::OK,
            StatusCode::NO_CONTENT,
            StatusCode::NOT_FOUND,
        ] {
            assert_eq!(refusal_of_status(status), Ok(()));
        }
    }

    #[test]
    fn what_is_the_nodes_fault_is_told_from_what_is_one_users() {
        for status in [401, 403, 429, 502, 503, 504] {
            let status = StatusCode::from_u16(status).unwrap();
            let refusal = refusal_of_status(status).unwrap_err();
            assert!(matches!(refusal, Refusal::Away(_)), "{status}: {refusal:?}");
        }
        for status in [301, 400, 409, 500] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(refusal_of_status(status), Err(Refusal::Refused(status)));
        }
    }
}
