//! Whose Bearer tokens are accepted.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf, time::Duration};

use crypto_jobs::JwsAlgorithm;
use serde::Deserialize;
use serde_json::Value;

use super::units::{self, HttpUrl};

/// Access tokens of Mozilla's accounts, or of a server that speaks like it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth {
    /// The accounts server's OAuth API, such as `https://oauth.accounts.firefox.com`. Its keys are asked
    /// for at `/v1/jwks` below it. No default.
    pub server_url: HttpUrl,
    /// What stands after the `@` in a user's name in the database, unless the server says otherwise.
    /// No default.
    pub email_domain: String,
    /// The scope that a token must have. Default `https://identity.mozilla.com/apps/oldsync`.
    #[serde(default = "default_scope")]
    pub scope: String,
    /// A file with the server's keys, as a JWK Set; then it isn't asked for them. Default none.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// Whether the server is asked, at `/v1/verify`, about tokens that are no JWTs, and while its keys
    /// cannot be had. Default true.
    #[serde(default = "default_true")]
    pub remote_verify: bool,
    /// What one such question may take. Default `5s`.
    #[serde(
        default = "default_remote_timeout",
        deserialize_with = "units::duration"
    )]
    pub remote_timeout: Duration,
    /// Most such questions at a time; beyond it 503. Default 64.
    #[serde(default = "default_remote_requests")]
    pub max_remote_requests: NonZeroUsize,
    /// `[oauth.events]`: events that the server sends. Without it they are not taken.
    #[serde(default)]
    pub events: Option<AccountEvents>,
}

/// Events of Mozilla's accounts, at `/1.0/webhooks/fxa/events`: deleted accounts, changed passwords.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountEvents {
    /// What `aud` must be in them: this server's id there. No default.
    pub client_id: String,
    /// What `iss` must be in them, such as `https://accounts.firefox.com/`. No default.
    pub issuer: String,
    /// The row of the table of services whose users they are about. Default `sync-1.5`.
    #[serde(default = "default_events_service")]
    pub service: String,
    /// Whether they are only counted and change nothing. Default false.
    #[serde(default)]
    pub metrics_only: bool,
}

fn default_events_service() -> String {
    "sync-1.5".to_owned()
}

fn default_scope() -> String {
    "https://identity.mozilla.com/apps/oldsync".to_owned()
}

fn default_true() -> bool {
    true
}

fn default_remote_timeout() -> Duration {
    Duration::from_secs(5)
}

fn default_remote_requests() -> NonZeroUsize {
    NonZeroUsize::new(64).expect("64 is not zero")
}

/// An issuer of JWTs: any OpenID provider, or whoever publishes a JWK Set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// What `iss` is in its tokens. No default.
    pub issuer: String,
    /// What `aud` must name, one of them. No default: without it, tokens for any other service would
    /// do.
    pub audiences: Vec<String>,
    /// Where its keys are. Default: where its `/.well-known/openid-configuration` says.
    #[serde(default)]
    pub jwks_uri: Option<HttpUrl>,
    /// A file with its keys, as a JWK Set; then nothing is fetched. Default none.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// Accepted signature algorithms. Default `["RS256", "ES256", "EdDSA"]`.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<JwsAlgorithm>,
    /// What the header's `typ` may be, such as `["at+jwt"]`. Default `[]`: anything, since many
    /// providers write nothing useful there.
    #[serde(default)]
    pub types: Vec<String>,
    /// The claim that identifies a user and never changes. Default `sub`.
    #[serde(default = "default_user_claim")]
    pub user_claim: String,
    /// What stands after the `@` in a user's name in the database. Default: the issuer's host. Two
    /// issuers cannot have the same.
    #[serde(default)]
    pub domain: Option<String>,
    /// Scopes that a token must have, all of them. Default `[]`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Claims that a token must have: the value itself, or a list with it. A list here means any one of
    /// its values. Default none.
    #[serde(default)]
    pub claims: BTreeMap<String, Value>,
    /// How far the issuer's clock may differ. Default `10s`.
    #[serde(default = "default_leeway", deserialize_with = "units::duration")]
    pub leeway: Duration,
}

fn default_algorithms() -> Vec<JwsAlgorithm> {
    vec![
        JwsAlgorithm::Rs256,
        JwsAlgorithm::Es256,
        JwsAlgorithm::EdDsa,
    ]
}

fn default_user_claim() -> String {
    "sub".to_owned()
}

fn default_leeway() -> Duration {
    Duration::from_secs(10)
}

/// Where an OpenID provider says everything about itself.
const CONFIGURATION: &str = ".well-known/openid-configuration";

impl Issuer {
    /// Where its OpenID configuration is. `None` when its name is no address.
    #[must_use]
    pub fn configuration(&self) -> Option<reqwest::Url> {
        let issuer = HttpUrl::try_from(self.issuer.clone()).ok()?;
        Some(issuer.join(CONFIGURATION))
    }

    /// What stands after the `@` in a user's name. `None` when neither the settings nor the issuer's
    /// own name tell.
    #[must_use]
    pub fn domain(&self) -> Option<String> {
        self.domain.clone().or_else(|| {
            let url = reqwest::Url::parse(&self.issuer).ok()?;
            url.host_str().map(str::to_owned)
        })
    }
}

/// How issuers' keys are fetched and kept.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Jwks {
    /// What one fetch may take, the provider's configuration included. Default `5s`.
    #[serde(deserialize_with = "units::duration")]
    pub timeout: Duration,
    /// Largest answer, in bytes. Default 65536.
    pub max_bytes: usize,
    /// How long keys are used without asking again. Default `10m`.
    #[serde(deserialize_with = "units::duration")]
    pub fresh_for: Duration,
    /// How long after their fetch keys are used while their issuer cannot be asked. Default `1day`.
    #[serde(deserialize_with = "units::duration")]
    pub stale_for: Duration,
    /// Least time between two questions to one issuer, such as after a token with an unknown `kid`.
    /// Default `15s`.
    #[serde(deserialize_with = "units::duration")]
    pub retry_after: Duration,
}

impl Default for Jwks {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            max_bytes: 64 * 1024,
            fresh_for: Duration::from_secs(10 * 60),
            stale_for: Duration::from_secs(24 * 60 * 60),
            retry_after: Duration::from_secs(15),
        }
    }
}
