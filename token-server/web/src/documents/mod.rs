//! Support documents: what a host publishes at `/.well-known/browserid` about who may sign for its
//! addresses. Fetched once, by one request for all that wait, and kept as long as the settings say.

mod address;
mod cache;
mod fetch;
mod parse;
mod trust;

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, time::timeout_at};
use tracing::Instrument;

pub use fetch::{DocumentError, FetcherError};
pub use parse::SupportDocument;

use self::{
    cache::{Hosts, Outcome, Slot},
    fetch::Fetcher,
};
use crate::settings::BrowserId;

/// The support documents of every host.
#[derive(Debug)]
pub struct Documents {
    fetcher: Arc<Fetcher>,
    hosts: Hosts,
    /// What all questions of one request may take.
    timeout: Duration,
    /// Fetches for hosts that only a client has named. They never hold up an issuer that the operator
    /// has named.
    strangers: Arc<Semaphore>,
    trusted: HashSet<String>,
    allowed: Option<HashSet<String>>,
}

impl Documents {
    /// Nothing is fetched yet.
    ///
    /// # Errors
    ///
    /// [`FetcherError`] when TLS cannot be set up, for instance on a machine without root certificates.
    pub fn new(settings: &BrowserId) -> Result<Self, FetcherError> {
        let limits = &settings.documents;
        let names = |hosts: &[crate::settings::IssuerHost]| {
            hosts.iter().map(|host| host.as_str().to_owned()).collect()
        };
        Ok(Self {
            fetcher: Arc::new(Fetcher::new(settings)?),
            hosts: Hosts::new(limits.max_hosts.get(), limits.into()),
            timeout: limits.timeout,
            strangers: Arc::new(Semaphore::new(limits.max_fetches.get())),
            trusted: names(&settings.trusted_issuers),
            allowed: settings.allowed_issuers.as_deref().map(names),
        })
    }

    /// The document of `host`, from memory where it is fresh, or where it is stale and the host cannot
    /// be asked.
    ///
    /// Dropping the future does not end a fetch: others may wait for it, and the next one will.
    ///
    /// # Errors
    ///
    /// [`DocumentError`] when there is none that can be used.
    pub async fn get(&self, host: &str) -> Result<Arc<SupportDocument>, DocumentError> {
        self.get_by(host, self.deadline()).await
    }

    /// By when a request that begins to ask now has to have all its answers.
    fn deadline(&self) -> tokio::time::Instant {
        tokio::time::Instant::now() + self.timeout
    }

    /// The document of `host`, as far as it can be had by then.
    async fn get_by(&self, host: &str, deadline: tokio::time::Instant) -> Outcome {
        let slot = self.hosts.slot(host);
        if let Some(outcome) = slot.recall(Instant::now()) {
            return outcome;
        }
        timeout_at(deadline, self.ask(&slot, host))
            .await
            .unwrap_or_else(|_| slot.give_up(Instant::now()))
    }

    async fn ask(&self, slot: &Arc<Slot>, host: &str) -> Outcome {
        let flight = Arc::clone(&slot.flight);
        let flight = match flight.try_lock_owned() {
            Ok(flight) => flight,
            Err(_) => {
                // Somebody asks already. A stale document is better than waiting for them.
                if let Some(document) = slot.stale(Instant::now()) {
                    return Ok(document);
                }
                let flight = Arc::clone(&slot.flight).lock_owned().await;
                if let Some(outcome) = slot.recall(Instant::now()) {
                    return outcome;
                }
                flight
            }
        };
        let named = self.is_named(host);
        let permit = if named {
            None
        } else {
            Arc::clone(&self.strangers).acquire_owned().await.ok()
        };
        // On its own, with all the time that a fetch may take: a request with little time left must not
        // make a good host one that is left alone for a while.
        slot.begin();
        let (fetcher, slot, host) = (Arc::clone(&self.fetcher), Arc::clone(slot), host.to_owned());
        let fetch = async move {
            let outcome = fetcher.fetch(&host).await;
            if let Err(error) = &outcome {
                if named {
                    tracing::warn!(host, %error, "no support document");
                } else {
                    tracing::debug!(host, %error, "no support document");
                }
            }
            let outcome = slot.remember(outcome, Instant::now());
            drop((permit, flight));
            outcome
        };
        tokio::spawn(fetch.in_current_span())
            .await
            .unwrap_or_else(|_| Err(DocumentError::Unavailable("the fetch was ended".to_owned())))
    }

    /// Whether a setting names the host, so that its outage is the operator's concern and not the
    /// client's fault.
    fn is_named(&self, host: &str) -> bool {
        self.trusted.contains(host)
            || self
                .allowed
                .as_ref()
                .is_some_and(|allowed| allowed.contains(host))
    }
}
