//! What is remembered of one issuer's keys, and when to ask again. Time is an argument.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::KeySet;
use crate::outbound::OutboundError;

/// How long keys may be used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetimes {
    /// Without asking again.
    pub(super) fresh_for: Duration,
    /// While the issuer cannot be asked.
    pub(super) stale_for: Duration,
    /// Least time between two questions, whatever came of the first.
    pub(super) retry_after: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Known {
    keys: Option<(Arc<KeySet>, Instant)>,
    /// The last question, and what went wrong with it.
    asked: Option<(Instant, Option<OutboundError>)>,
}

impl Known {
    /// Keys that are good without asking.
    pub(super) fn fresh(&self, lifetimes: Lifetimes, now: Instant) -> Option<Arc<KeySet>> {
        self.within(lifetimes.fresh_for, now)
    }

    /// Keys that are good enough while the issuer cannot be asked.
    pub(super) fn stale(&self, lifetimes: Lifetimes, now: Instant) -> Option<Arc<KeySet>> {
        self.within(lifetimes.stale_for, now)
    }

    /// Whether the issuer may be asked: not too soon after the last time.
    pub(super) fn may_ask(&self, lifetimes: Lifetimes, now: Instant) -> bool {
        self.asked
            .as_ref()
            .is_none_or(|(asked, _)| now >= *asked + lifetimes.retry_after)
    }

    /// Why the last question brought nothing.
    pub(super) fn failure(&self) -> Option<OutboundError> {
        self.asked.as_ref()?.1.clone()
    }

    /// Takes note of an answer. Keys that were known stay so until they are too old: an issuer that
    /// answers nonsense is as good as down.
    pub(super) fn remember(&mut self, outcome: Result<KeySet, OutboundError>, now: Instant) {
        match outcome {
            Ok(keys) => {
                self.keys = Some((Arc::new(keys), now));
                self.asked = Some((now, None));
            }
            Err(error) => self.asked = Some((now, Some(error))),
        }
    }

    fn within(&self, lifetime: Duration, now: Instant) -> Option<Arc<KeySet>> {
        let (keys, fetched) = self.keys.as_ref()?;
        (now < *fetched + lifetime).then(|| Arc::clone(keys))
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes {
        fresh_for: Duration::from_secs(100),
        stale_for: Duration::from_secs(1000),
        retry_after: Duration::from_secs(10),
    };

    fn keys() -> KeySet {
        KeySet::parse(br#"{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}"#).unwrap()
    }

    #[test]
    fn keys_are_fresh_then_stale_then_gone() {
        let (mut known, start) = (Known::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(known.may_ask(LIFETIMES, start));
        known.remember(Ok(keys()), start);
        assert!(known.fresh(LIFETIMES, after(99)).is_some());
        assert!(known.fresh(LIFETIMES, after(100)).is_none());
        let down = OutboundError::Unavailable("down".to_owned());
        known.remember(Err(down.clone()), after(100));
        assert_eq!(known.failure(), Some(down));
        assert!(known.stale(LIFETIMES, after(999)).is_some());
        assert!(known.stale(LIFETIMES, after(1000)).is_none());
    }

    #[test]
    fn an_issuer_is_left_alone_for_a_while_after_each_question() {
        let (mut known, start) = (Known::default(), Instant::now());
        known.remember(Err(OutboundError::Refused(StatusCode::NOT_FOUND)), start);
        assert!(!known.may_ask(LIFETIMES, start + Duration::from_secs(9)));
        assert!(known.may_ask(LIFETIMES, start + Duration::from_secs(10)));
        known.remember(Ok(keys()), start + Duration::from_secs(10));
        assert_eq!(known.failure(), None);
        assert!(!known.may_ask(LIFETIMES, start + Duration::from_secs(19)));
    }
}
