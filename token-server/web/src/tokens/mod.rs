//! What tokens say. Workers make them.

mod ring;

use crypto_jobs::{
    Encryption, IssueRequest, IssuedToken, JwtAlgorithm, Metrics, Payload, SyncClaims, TokenFormat,
    TokenSecret,
};
use serde::Serialize;
use serde_json::json;

pub(crate) use ring::KeyRing;

use crate::{
    app::App,
    clock::Arrival,
    current::Current,
    failure::Failure,
    identity::Identity,
    settings::{Application, BrowserId, TokenKind, TokenSecrets},
};

/// Where a user's data lies.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) uid: Uid,
    /// The node's URL; the endpoint where there are no nodes.
    pub(crate) node: String,
    pub(crate) endpoint: String,
    /// Rises with every new key of the user's.
    pub(crate) key_number: i64,
}

/// How the service calls the user.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Uid {
    /// The number of a row in the table of users.
    Number(i64),
    /// What the identity provider calls the user.
    Subject(String),
}

/// A token that is to be made.
pub(crate) struct Order<'a> {
    pub(crate) current: &'a Current,
    pub(crate) name: &'a str,
    pub(crate) application: &'a Application,
    pub(crate) identity: &'a Identity,
    pub(crate) place: &'a Place,
    /// In seconds.
    pub(crate) duration: u64,
}

impl Order<'_> {
    /// Has the token made.
    pub(crate) async fn issue(&self, app: &App, arrival: &Arrival) -> Result<IssuedToken, Failure> {
        let secrets = &self.current.settings.secrets;
        let own = self.application.secret.as_ref();
        let secret = self.secret(own.unwrap_or(&secrets.token))?;
        let format = match self.application.token.format {
            TokenKind::Tokenlib => self.tokenlib(secret, arrival)?,
            TokenKind::Jwt => self.jwt(secret, app, arrival).await?,
        };
        let request = IssueRequest {
            format,
            metrics: Some(Metrics {
                secret: secrets.metrics.clone(),
                fxa_uid: self.identity.subject.clone(),
                device_id: self.identity.device_id.clone(),
            }),
        };
        let reply = app.crypto().issue(&request, arrival).await?;
        reply.map_err(|refusal| {
            tracing::error!(code = refusal.code(), "a worker refused to issue a token");
            Failure::Internal("a worker refused to issue a token")
        })
    }

    fn secret(&self, secrets: &TokenSecrets) -> Result<TokenSecret, Failure> {
        secrets.newest(&self.place.node).ok_or_else(|| {
            tracing::error!(
                node = self.place.node,
                "secrets.nodes_file has no secret for a node"
            );
            Failure::Internal("a node has no secret")
        })
    }

    fn key_id(&self) -> String {
        self.identity.client_state.key_id(self.place.key_number)
    }

    fn tokenlib(&self, secret: TokenSecret, arrival: &Arrival) -> Result<TokenFormat, Failure> {
        let expires = arrival.now_s() + self.duration;
        let [a, b, c]: [u8; 3] = rand::random();
        let salt = format!("{a:02x}{b:02x}{c:02x}");
        let payload = match &self.place.uid {
            Uid::Number(uid) => Payload::Sync(SyncClaims {
                uid: u64::try_from(*uid).map_err(|_| Failure::Internal("a uid is negative"))?,
                node: self.place.node.clone(),
                expires,
                fxa_uid: self.identity.subject.clone(),
                fxa_kid: self.key_id(),
                tokenserver_origin: None,
                salt,
            }),
            Uid::Subject(uid) => {
                let payload = json!({
                    "uid": uid,
                    "node": self.place.node,
                    "issuer": self.identity.issuer,
                    "expires": expires,
                    "salt": salt,
                });
                Payload::Json(payload.to_string())
            }
        };
        Ok(TokenFormat::Tokenlib { secret, payload })
    }

    async fn jwt(
        &self,
        secret: TokenSecret,
        app: &App,
        arrival: &Arrival,
    ) -> Result<TokenFormat, Failure> {
        let token = &self.application.token;
        let key = match (token.algorithm, &secret) {
            (JwtAlgorithm::Hs256, TokenSecret::Fixed(secret)) => secret.clone(),
            (JwtAlgorithm::Hs256, TokenSecret::PerNode { .. }) => {
                return Err(Failure::Internal("HS256 cannot sign with derived secrets"));
            }
            (algorithm, _) => {
                let ring = &self.current.key_ring;
                ring.newest(algorithm, app.crypto(), arrival).await?
            }
        };
        let browserid = self.current.settings.browserid.as_ref();
        let issuer = token.issuer.as_deref();
        let issuer = issuer.or_else(|| browserid.and_then(BrowserId::origin));
        let default_audience = format!("{}-{}", self.name, self.application.version);
        let mut claims = json!({
            "iss": issuer.unwrap_or_default(),
            "sub": self.identity.email,
            "aud": token.audience.as_ref().unwrap_or(&default_audience),
            "iat": arrival.now_s(),
            "exp": arrival.now_s() + self.duration,
            "jti": format!("{:032x}", rand::random::<u128>()),
            "uid": self.place.uid,
            "idp": self.identity.issuer,
            "salt": random_salt(),
        });
        if self.application.nodes {
            claims["node"] = self.place.node.as_str().into();
        }
        if !self.identity.client_state.as_str().is_empty() {
            claims["key_id"] = self.key_id().into();
        }
        Ok(TokenFormat::Jwt {
            algorithm: token.algorithm,
            key,
            kid: None,
            typ: Some(token.typ.clone()),
            claims: claims.to_string(),
            secret: Some(secret),
            encryption: token.encrypt.then(|| Encryption {
                nonce: rand::random(),
                salt: random_salt(),
            }),
        })
    }
}

/// 128 random bits.
fn random_salt() -> String {
    format!("{:032x}", rand::random::<u128>())
}
