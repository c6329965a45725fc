//! Support documents: what a host publishes at `/.well-known/browserid` about who may sign for its
//! addresses. Fetched once, by one request for all that wait, and kept as long as the settings say.

mod address;
mod cache;
mod fetch;
mod parse;
mod trust;

use std::{collections::HashSet, sync::Arc, time::Instant};

use tokio::sync::Semaphore;

pub use fetch::{DocumentError, FetcherError};
pub use parse::SupportDocument;

use self::{cache::Hosts, fetch::Fetcher};
use crate::settings::BrowserId;

/// The support documents of every host.
#[derive(Debug)]
pub struct Documents {
    fetcher: Fetcher,
    hosts: Hosts,
    /// Fetches for hosts that only a client has named. They never hold up an issuer that the operator
    /// has named.
    strangers: Semaphore,
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
            fetcher: Fetcher::new(settings)?,
            hosts: Hosts::new(limits.max_hosts.get(), limits.into()),
            strangers: Semaphore::new(limits.max_fetches.get()),
            trusted: names(&settings.trusted_issuers),
            allowed: settings.allowed_issuers.as_deref().map(names),
        })
    }

    /// The document of `host`, from memory where it is fresh, or where it is stale and the host cannot
    /// be asked.
    ///
    /// # Errors
    ///
    /// [`DocumentError`] when there is none that can be used.
    pub async fn get(&self, host: &str) -> Result<Arc<SupportDocument>, DocumentError> {
        let slot = self.hosts.slot(host);
        if let Some(outcome) = slot.recall(Instant::now()) {
            return outcome;
        }
        let _flight = match slot.flight.try_lock() {
            Ok(flight) => flight,
            Err(_) => {
                // Somebody asks already. A stale document is better than waiting for them.
                if let Some(document) = slot.stale(Instant::now()) {
                    return Ok(document);
                }
                let flight = slot.flight.lock().await;
                if let Some(outcome) = slot.recall(Instant::now()) {
                    return outcome;
                }
                flight
            }
        };
        let _permit = if self.is_named(host) {
            None
        } else {
            self.strangers.acquire().await.ok()
        };
        let outcome = self.fetcher.fetch(host).await;
        if let Err(error) = &outcome {
            if self.is_named(host) {
                tracing::warn!(host, %error, "no support document");
            } else {
                tracing::debug!(host, %error, "no support document");
            }
        }
        slot.remember(outcome, Instant::now())
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
