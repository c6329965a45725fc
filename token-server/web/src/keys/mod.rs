//! The keys of the issuers of JWTs: fetched from where they are published, once for all that wait,
//! and kept as long as the settings say.

mod known;
mod set;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crypto_jobs::{Jwk, UnverifiedJwt};
use reqwest::{Client, Url};
use serde::Deserialize;
use tokio::sync::watch;

pub(crate) use set::KeySet;

use self::known::{Known, Lifetimes};
use crate::{
    outbound::{self, OutboundError},
    settings::{HttpUrl, Jwks},
};

/// Where an issuer's keys come from.
#[derive(Clone, Debug)]
pub(crate) enum KeyLocation {
    /// The settings.
    Fixed(KeySet),
    /// A JWK Set at this address.
    Set(Url),
    /// The JWK Set that the issuer's OpenID configuration names.
    Discovery {
        /// The issuer, as its configuration must call itself.
        issuer: String,
        /// Where its configuration is published.
        configuration: Url,
    },
}

/// The keys of one issuer. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// For the log.
    name: String,
    location: KeyLocation,
    client: Client,
    timeout: Duration,
    max_bytes: usize,
    lifetimes: Lifetimes,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Known,
    /// Closed when the question in flight has been answered.
    flight: Option<watch::Receiver<()>>,
}

impl Keys {
    /// Nothing is fetched yet. `name` is for the log.
    #[must_use]
    pub(crate) fn new(name: &str, location: KeyLocation, client: Client, settings: &Jwks) -> Self {
        Self(Arc::new(Inner {
            name: name.to_owned(),
            location,
            client,
            timeout: settings.timeout,
            max_bytes: settings.max_bytes,
            lifetimes: Lifetimes {
                fresh_for: settings.fresh_for,
                stale_for: settings.stale_for,
                retry_after: settings.retry_after,
            },
            state: Mutex::default(),
        }))
    }

    /// The keys that may have signed `token`; none when the issuer has no such key. A key that isn't
    /// known may be a new one, so the issuer is asked again, though not too often.
    ///
    /// # Errors
    ///
    /// [`OutboundError`] when no keys of the issuer are known and it cannot be asked.
    ///
    /// Dropping the future does not end a fetch: others may wait for it, and the next one will.
    pub(crate) async fn find(&self, token: &UnverifiedJwt<'_>) -> Result<Vec<Jwk>, OutboundError> {
        if let KeyLocation::Fixed(set) = &self.0.location {
            return Ok(set.select(token));
        }
        let set = self.current().await?;
        let found = set.select(token);
        if !found.is_empty() {
            return Ok(found);
        }
        match self.ask_again() {
            Some(flight) => {
                wait(flight).await;
                Ok(self.current().await?.select(token))
            }
            None => Ok(found),
        }
    }

    /// Other keys that may have signed `token`, which none of `tried` has: a key that is not called by name
    /// may have been replaced, so the issuer is asked again, though not too often. `None` when there are
    /// no others.
    ///
    /// Dropping the future does not end a fetch.
    pub(crate) async fn find_others(
        &self,
        token: &UnverifiedJwt<'_>,
        tried: &[Jwk],
    ) -> Option<Vec<Jwk>> {
        let by_name = token.kid.is_some() && tried.iter().all(|key| key.kid.is_some());
        if by_name || matches!(self.0.location, KeyLocation::Fixed(_)) {
            return None;
        }
        // Where it may not be asked, somebody else may have asked since these were tried.
        if let Some(flight) = self.ask_again() {
            wait(flight).await;
        }
        let found = self.current().await.ok()?.select(token);
        (!found.is_empty() && found != tried).then_some(found)
    }

    /// The issuer's keys: fresh ones, or those that it has when asked, or stale ones.
    async fn current(&self) -> Result<Arc<KeySet>, OutboundError> {
        let flight = {
            let mut state = self.0.state.lock().expect("no panics under this lock");
            let (lifetimes, now) = (self.0.lifetimes, Instant::now());
            if let Some(set) = state.known.fresh(lifetimes, now) {
                return Ok(set);
            }
            let stale = state.known.stale(lifetimes, now);
            match (stale, &state.flight) {
                // Somebody asks already. Stale keys are better than waiting for the answer.
                (Some(set), Some(_)) => return Ok(set),
                (None, Some(flight)) => flight.clone(),
                (stale, None) if !state.known.may_ask(lifetimes, now) => {
                    return stale.ok_or_else(|| unknown(&state.known));
                }
                (_, None) => self.ask(&mut state),
            }
        };
        wait(flight).await;
        let state = self.0.state.lock().expect("no panics under this lock");
        let stale = state.known.stale(self.0.lifetimes, Instant::now());
        stale.ok_or_else(|| unknown(&state.known))
    }

    /// Asks the issuer though its keys are fresh. `None` when that was done just now.
    fn ask_again(&self) -> Option<watch::Receiver<()>> {
        let mut state = self.0.state.lock().expect("no panics under this lock");
        if let Some(flight) = &state.flight {
            return Some(flight.clone());
        }
        let may = state.known.may_ask(self.0.lifetimes, Instant::now());
        may.then(|| self.ask(&mut state))
    }

    /// Starts a fetch; nobody else's is in flight.
    fn ask(&self, state: &mut State) -> watch::Receiver<()> {
        let (done, flight) = watch::channel(());
        state.flight = Some(flight.clone());
        let keys = self.clone();
        tokio::spawn(async move {
            let inner = &keys.0;
            let fetch = tokio::time::timeout(inner.timeout, inner.fetch());
            let outcome = fetch.await.unwrap_or_else(|_| {
                Err(OutboundError::Unavailable("no answer in time".to_owned()))
            });
            if let Err(error) = &outcome {
                tracing::warn!(issuer = inner.name, %error, "cannot fetch keys");
            }
            let mut state = inner.state.lock().expect("no panics under this lock");
            state.known.remember(outcome, Instant::now());
            state.flight = None;
            drop(done);
        });
        flight
    }
}

/// Waits until the fetch is over, whatever came of it.
async fn wait(mut flight: watch::Receiver<()>) {
    while flight.changed().await.is_ok() {}
}

fn unknown(known: &Known) -> OutboundError {
    known
        .failure()
        .unwrap_or_else(|| OutboundError::Unavailable("the keys are too old".to_owned()))
}

impl Inner {
    async fn fetch(&self) -> Result<KeySet, OutboundError> {
        let url = match &self.location {
            KeyLocation::Fixed(set) => return Ok(set.clone()),
            KeyLocation::Set(url) => url.clone(),
            KeyLocation::Discovery {
                issuer,
                configuration,
            } => self.discover(issuer, configuration).await?,
        };
        let body = outbound::ask(self.client.get(url), self.max_bytes).await?;
        KeySet::parse(&body).map_err(OutboundError::Unusable)
    }

    async fn discover(&self, issuer: &str, configuration: &Url) -> Result<Url, OutboundError> {
        /// As far as it matters here (OpenID Connect Discovery 1.0, section 3).
        #[derive(Deserialize)]
        struct Configuration {
            issuer: String,
            jwks_uri: HttpUrl,
        }

        let request = self.client.get(configuration.clone());
        let body = outbound::ask(request, self.max_bytes).await?;
        let found: Configuration = serde_json::from_slice(&body)
            .map_err(|_| OutboundError::Unusable("is no OpenID configuration"))?;
        if found.issuer != issuer {
            return Err(OutboundError::Unusable("is another issuer's configuration"));
        }
        // What was asked for over TLS must not lead to a place without it.
        let uri = found.jwks_uri.url();
        if uri.scheme() != "https" && configuration.scheme() == "https" {
            return Err(OutboundError::Unusable("names keys without TLS"));
        }
        Ok(uri.clone())
    }
}
