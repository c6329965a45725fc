//! What an accounts server tells by itself: security event tokens (RFC 8417), signed with the keys that
//! sign its access tokens.

use crypto_jobs::{JwsAlgorithm, JwtConditions};
use serde_json::{Map, Value};

use super::{Identity, jwt, oauth::OAuth};
use crate::{app::App, clock::Arrival, failure::Failure, settings::AccountEvents};

const DELETE_USER: &str = "https://schemas.accounts.firefox.com/event/delete-user";
const PASSWORD_CHANGE: &str = "https://schemas.accounts.firefox.com/event/password-change";

/// What has happened to an account. Of several events in one token, all count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountNews {
    /// The account's name in the database.
    pub(crate) email: String,
    /// Whether it was deleted.
    pub(crate) deleted: bool,
    /// When its password changed, in milliseconds since 1970.
    pub(crate) password_changed_at: Option<i64>,
}

impl OAuth {
    /// Has an event token verified and reads it. Events that say nothing to this server are passed over.
    pub(super) async fn verify_event(
        &self,
        app: &App,
        settings: &AccountEvents,
        token: &str,
        arrival: &Arrival,
    ) -> Result<AccountNews, Failure> {
        let conditions = JwtConditions {
            algorithms: vec![JwsAlgorithm::Rs256],
            types: vec!["secevent+jwt".to_owned()],
            issuer: Some(settings.issuer.clone()),
            audiences: vec![settings.client_id.clone()],
            // An event stays true.
            must_expire: false,
            leeway_s: 0,
        };
        let verified = jwt::verify(app, self.keys(), token, conditions, arrival).await?;
        news(&verified.claims, self.email_domain())
    }
}

fn news(claims: &Map<String, Value>, domain: &str) -> Result<AccountNews, Failure> {
    let Some(Value::String(user)) = claims.get("sub") else {
        return Err(Failure::Subject);
    };
    let Some(Value::Object(events)) = claims.get("events") else {
        return Err(Failure::Claim);
    };
    let Identity { email, .. } = jwt::identity(user.clone(), domain, domain.to_owned())?;
    let change = events.get(PASSWORD_CHANGE);
    let password_changed_at = match change.map(|event| event["changeTime"].as_i64()) {
        None => None,
        Some(Some(time)) if time >= 0 => Some(time),
        Some(_) => return Err(Failure::Claim),
    };
    Ok(AccountNews {
        email,
        deleted: events.contains_key(DELETE_USER),
        password_changed_at,
    })
}
