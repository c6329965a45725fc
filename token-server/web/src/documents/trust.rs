use std::collections::HashSet;

use crypto_jobs::{IssuerFinding, Peek};

use super::{DocumentError, Documents, SupportDocument};

/// Most delegations that are followed from an address's host.
const MAX_DELEGATIONS: usize = 6;

impl Documents {
    /// What there is to know about the issuer of an assertion: whether it may speak for the address's
    /// host, and with which keys it signs.
    pub async fn find_issuer(&self, peek: &Peek) -> IssuerFinding {
        let allowed = |allowed: &HashSet<String>| allowed.contains(&peek.issuer);
        if !self.allowed.as_ref().is_none_or(allowed) {
            return IssuerFinding::Untrusted;
        }
        let speaks_for_host = self.trusted.contains(&peek.issuer)
            || peek.issuer == peek.email_host
            || self.delegates(&peek.email_host, &peek.issuer).await;
        if !speaks_for_host {
            return IssuerFinding::Untrusted;
        }
        match self.get(&peek.issuer).await.as_deref() {
            Ok(SupportDocument::Issuer(keys)) => IssuerFinding::Known { keys: keys.clone() },
            Ok(SupportDocument::Delegated(_) | SupportDocument::Disabled) => {
                IssuerFinding::Unusable
            }
            // An issuer that the operator relies on is down: not the client's fault. A host that a
            // stranger made up is.
            Err(DocumentError::Unavailable(_)) if self.is_named(&peek.issuer) => {
                IssuerFinding::Unavailable
            }
            Err(_) => IssuerFinding::Unusable,
        }
    }

    /// Whether delegations lead from `host` to `issuer`. Circles and long chains lead nowhere.
    async fn delegates(&self, host: &str, issuer: &str) -> bool {
        let mut seen = HashSet::from([host.to_owned()]);
        let mut host = host.to_owned();
        for _ in 0..MAX_DELEGATIONS {
            let Ok(document) = self.get(&host).await else {
                return false;
            };
            let SupportDocument::Delegated(authority) = &*document else {
                return false;
            };
            if authority == issuer {
                return true;
            }
            if !seen.insert(authority.clone()) {
                return false;
            }
            host.clone_from(authority);
        }
        false
    }
}
