//! Who is logging in: from what a client shows to an account, by way of the workers.

mod browserid;
mod error;
mod events;
mod jwt;
mod key_id;
mod oauth;
mod oidc;

use std::sync::Arc;

use axum::http::HeaderMap;
use crypto_jobs::{JwtRejection, UnverifiedJwt};
use powerhose::ExecuteError;

use self::{oauth::OAuth, oidc::Oidc};
use crate::{
    app::App,
    client_state::ClientState,
    clock::Arrival,
    credentials::Credentials,
    documents::Documents,
    failure::Failure,
    settings::{AccountEvents, Application, BrowserId, Settings},
};

pub use self::error::IdentitiesError;
pub(crate) use self::events::AccountNews;

/// A verified account and what its provider says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The account's name in the database: its identifier at the provider, `@`, and the provider's
    /// domain.
    pub(crate) email: String,
    /// The account's identifier at its provider.
    pub(crate) subject: String,
    /// Who vouches for it.
    pub(crate) issuer: String,
    /// The provider's generation; 0 when it sends none.
    pub(crate) generation: i64,
    /// When the keys changed; 0 when nobody says.
    pub(crate) keys_changed_at: i64,
    /// The name of the client's key.
    pub(crate) client_state: ClientState,
    /// The device that logs in.
    pub(crate) device_id: Option<String>,
}

/// Everyone who may vouch for users.
#[derive(Debug, Default)]
pub struct Identities {
    browserid: Option<(Arc<Documents>, BrowserId)>,
    oauth: Option<Arc<OAuth>>,
    issuers: Vec<Arc<Oidc>>,
}

/// Who can tell about a Bearer token.
enum Source<'a> {
    OAuth(&'a OAuth),
    Oidc(&'a Oidc),
}

impl Identities {
    /// Nothing is fetched yet.
    ///
    /// # Errors
    ///
    /// [`IdentitiesError`] when TLS cannot be set up, for instance on a machine without root
    /// certificates, or a file of keys cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, IdentitiesError> {
        Self::default().renewed(settings, settings)
    }

    /// Those of other settings. What is known of someone whose own settings stay is kept; files of keys are
    /// read again.
    pub(crate) fn renewed(
        &self,
        before: &Settings,
        settings: &Settings,
    ) -> Result<Self, IdentitiesError> {
        let browserid = settings.browserid.as_ref().map(|browserid| {
            let known = self.browserid.as_ref();
            let same = known.filter(|_| before.browserid.as_ref() == Some(browserid));
            Ok::<_, IdentitiesError>(match same {
                Some(same) => same.clone(),
                None => (Arc::new(Documents::new(browserid)?), browserid.clone()),
            })
        });
        let same_jwks = before.jwks == settings.jwks;
        let oauth = settings.oauth.as_ref().map(|oauth| {
            let stays = same_jwks && before.oauth.as_ref() == Some(oauth);
            let known = self.oauth.as_ref().filter(|_| stays);
            match known.filter(|_| oauth.jwks_file.is_none()) {
                Some(same) => Ok(Arc::clone(same)),
                None => OAuth::new(oauth, &settings.jwks).map(Arc::new),
            }
        });
        let issuers = settings.issuers.iter().map(|(name, issuer)| {
            let stays = same_jwks && before.issuers.get(name) == Some(issuer);
            let known = self.issuers.iter().find(|known| known.name() == name);
            match known.filter(|_| stays && issuer.jwks_file.is_none()) {
                Some(same) => Ok(Arc::clone(same)),
                None => Oidc::new(name, issuer, &settings.jwks).map(Arc::new),
            }
        });
        Ok(Self {
            browserid: browserid.transpose()?,
            oauth: oauth.transpose()?,
            issuers: issuers.collect::<Result<_, _>>()?,
        })
    }

    /// Has an event of the accounts server verified.
    pub(crate) async fn account_news(
        &self,
        app: &App,
        settings: &AccountEvents,
        token: &str,
        arrival: &Arrival,
    ) -> Result<AccountNews, Failure> {
        match &self.oauth {
            Some(oauth) => oauth.verify_event(app, settings, token, arrival).await,
            None => Err(Failure::NotFound),
        }
    }

    /// Finds out who shows `credentials` to `application`.
    pub(crate) async fn verify(
        &self,
        app: &App,
        application: &Application,
        credentials: Credentials<'_>,
        headers: &HeaderMap,
        client_state: ClientState,
        arrival: &Arrival,
    ) -> Result<Identity, Failure> {
        match credentials {
            Credentials::BrowserId(assertion) => {
                let taken = application.takes("browserid");
                let Some((documents, settings)) = self.browserid.as_ref().filter(|_| taken) else {
                    return Err(self.unsupported(application));
                };
                browserid::verify(app, settings, documents, assertion, client_state, arrival).await
            }
            Credentials::Bearer(token) => {
                let mut identity = match self.source(application, token)? {
                    Source::OAuth(oauth) => oauth.verify(app, token, arrival).await?,
                    Source::Oidc(issuer) => issuer.verify(app, token, arrival).await?,
                };
                key_id::apply(&mut identity, headers, client_state)?;
                Ok(identity)
            }
            Credentials::Other => Err(self.unsupported(application)),
        }
    }

    /// Whose token it may be. What it claims only says whose keys to try.
    fn source(&self, application: &Application, token: &str) -> Result<Source<'_>, Failure> {
        let taken = |issuer: &&Arc<Oidc>| application.takes(issuer.name());
        let oauth = self.oauth.as_ref().filter(|_| application.takes("oauth"));
        if oauth.is_none() && !self.issuers.iter().any(|issuer| taken(&issuer)) {
            return Err(self.unsupported(application));
        }
        let parsed = UnverifiedJwt::parse(token);
        let claimed = parsed.as_ref().ok().and_then(UnverifiedJwt::issuer);
        let mut issuers = self.issuers.iter().filter(taken);
        match (
            issuers.find(|issuer| claimed == Some(issuer.issuer())),
            oauth,
        ) {
            (Some(issuer), _) => Ok(Source::Oidc(issuer)),
            (None, Some(oauth)) => Ok(Source::OAuth(oauth)),
            (None, None) => Err(parsed.err().unwrap_or(JwtRejection::WrongIssuer).into()),
        }
    }

    fn unsupported(&self, application: &Application) -> Failure {
        let assertions = self.browserid.is_some() && application.takes("browserid");
        Failure::UnsupportedScheme(if assertions { "BrowserID " } else { "Bearer" })
    }
}

/// A job that panicked, ran for too long, or killed two workers on its own failed because of what it
/// was about. Whoever sent that gets the answer for bad credentials; the log tells the operator.
fn blame_credentials(failure: Failure) -> Failure {
    match failure {
        Failure::Job(
            error @ (ExecuteError::Panicked { .. }
            | ExecuteError::Poison { .. }
            | ExecuteError::TooLarge { .. }
            | ExecuteError::Overrun),
        ) => {
            tracing::error!(code = error.code(), %error, "credentials made a worker fail");
            Failure::Unverifiable(error)
        }
        other => other,
    }
}
