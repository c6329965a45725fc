use std::{collections::HashSet, sync::Arc};

use crypto_jobs::{IssuerFinding, Peek};
use tokio::time::Instant;

use super::{DocumentError, Documents, SupportDocument};

/// Most delegations that are followed from an address's host.
const MAX_DELEGATIONS: usize = 6;

impl Documents {
    /// What there is to know about the issuer of an assertion: whether it may speak for the address's
    /// host, and with which keys it signs. All hosts together get `documents.timeout`.
    pub async fn find_issuer(&self, peek: &Peek) -> IssuerFinding {
        match self.trusted_document(peek).await {
            Ok(document) => match &*document {
                SupportDocument::Issuer(keys) => IssuerFinding::Known { keys: keys.clone() },
                SupportDocument::Delegated(_) | SupportDocument::Disabled => {
                    IssuerFinding::Unusable
                }
            },
            Err(finding) => finding,
        }
    }

    /// The issuer's document, if the issuer may speak for the address's host.
    async fn trusted_document(&self, peek: &Peek) -> Result<Arc<SupportDocument>, IssuerFinding> {
        let allowed = |allowed: &HashSet<String>| allowed.contains(&peek.issuer);
        if !self.allowed.as_ref().is_none_or(allowed) {
            return Err(IssuerFinding::Untrusted);
        }
        let deadline = self.deadline();
        let named = self.is_named(&peek.issuer);
        let trust = self.speaks_for_host(peek, deadline);
        let document = async {
            let document = self.get_by(&peek.issuer, deadline).await;
            document.map_err(|error| match error {
                // An issuer that the operator relies on is down: not the client's fault. A host that a
                // stranger made up is.
                DocumentError::Unavailable(_) if named => IssuerFinding::Unavailable,
                DocumentError::Saturated => saturated(&peek.issuer),
                _ => IssuerFinding::Unusable,
            })
        };
        if named {
            // At once, so that an issuer that the operator relies on never seems to be down because the
            // client's hosts have used up the time.
            let ((), document) = tokio::try_join!(trust, document)?;
            Ok(document)
        } else {
            trust.await?;
            document.await
        }
    }

    async fn speaks_for_host(&self, peek: &Peek, deadline: Instant) -> Result<(), IssuerFinding> {
        if self.trusted.contains(&peek.issuer) || peek.issuer == peek.email_host {
            return Ok(());
        }
        self.follow(&peek.email_host, &peek.issuer, deadline).await
    }

    /// Whether delegations lead from `host` to `issuer`. Circles and long chains lead nowhere, and
    /// neither do slow ones.
    async fn follow(
        &self,
        host: &str,
        issuer: &str,
        deadline: Instant,
    ) -> Result<(), IssuerFinding> {
        let mut seen = HashSet::from([host.to_owned()]);
        let mut host = host.to_owned();
        for _ in 0..MAX_DELEGATIONS {
            let document = match self.get_by(&host, deadline).await {
                Ok(document) => document,
                Err(DocumentError::Saturated) => return Err(saturated(&host)),
                Err(_) => return Err(IssuerFinding::Untrusted),
            };
            let SupportDocument::Delegated(authority) = &*document else {
                return Err(IssuerFinding::Untrusted);
            };
            if authority == issuer {
                return Ok(());
            }
            if !seen.insert(authority.clone()) {
                return Err(IssuerFinding::Untrusted);
            }
            host.clone_from(authority);
        }
        Err(IssuerFinding::Untrusted)
    }
}

/// Too much to do here is not the client's fault either.
fn saturated(host: &str) -> IssuerFinding {
    tracing::warn!(
        host,
        "not asked: browserid.documents.max_fetches are under way"
    );
    IssuerFinding::Unavailable
}
