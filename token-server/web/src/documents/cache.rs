//! What is remembered of each host, and for how long. Time is an argument.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{DocumentError, SupportDocument};
use crate::settings;

/// How long what is remembered may be used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetimes {
    /// A document, without asking again.
    pub(super) fresh_for: Duration,
    /// A document, while its host cannot be asked.
    pub(super) stale_for: Duration,
    /// A failure.
    pub(super) retry_after: Duration,
}

impl From<&settings::Documents> for Lifetimes {
    fn from(settings: &settings::Documents) -> Self {
        Self {
            fresh_for: settings.fresh_for,
            stale_for: settings.stale_for,
            retry_after: settings.retry_after,
        }
    }
}

/// A bounded number of hosts. The least recently used makes room for a new one.
#[derive(Debug)]
pub(super) struct Hosts {
    slots: RwLock<HashMap<String, Arc<Slot>>>,
    uses: AtomicU64,
    capacity: usize,
    lifetimes: Lifetimes,
}

impl Hosts {
    pub(super) fn new(capacity: usize, lifetimes: Lifetimes) -> Self {
        Self {
            slots: RwLock::default(),
            uses: AtomicU64::new(0),
            capacity,
            lifetimes,
        }
    }

    /// The slot of `host`, made when there is none.
    pub(super) fn slot(&self, host: &str) -> Arc<Slot> {
        let now = self.uses.fetch_add(1, Ordering::Relaxed);
        let slots = self.slots.read().expect("no panics under this lock");
        if let Some(slot) = slots.get(host) {
            slot.last_used.store(now, Ordering::Relaxed);
            return Arc::clone(slot);
        }
        drop(slots);

        let mut slots = self.slots.write().expect("no panics under this lock");
        if slots.len() >= self.capacity && !slots.contains_key(host) {
            // A scan of all, but only before a fetch, which costs a thousand times more.
            let oldest = slots
                .iter()
                .min_by_key(|(_, slot)| slot.last_used.load(Ordering::Relaxed))
                .map(|(host, _)| host.clone());
            if let Some(oldest) = oldest {
                slots.remove(&oldest);
            }
        }
        let slot = slots
            .entry(host.to_owned())
            .or_insert_with(|| Arc::new(Slot::new(self.lifetimes)));
        slot.last_used.store(now, Ordering::Relaxed);
        Arc::clone(slot)
    }
}

/// What is remembered of one host.
#[derive(Debug)]
pub(super) struct Slot {
    /// Held by whoever asks the host, or waits for a place to do so.
    pub(super) flight: Arc<tokio::sync::Mutex<()>>,
    known: Mutex<Known>,
    last_used: AtomicU64,
    lifetimes: Lifetimes,
}

#[derive(Debug, Default)]
struct Known {
    document: Option<(Arc<SupportDocument>, Instant)>,
    failure: Option<(DocumentError, Instant)>,
    /// The host has been asked and has not answered yet.
    asked: bool,
}

pub(super) type Outcome = Result<Arc<SupportDocument>, DocumentError>;

impl Slot {
    fn new(lifetimes: Lifetimes) -> Self {
        Self {
            flight: Arc::default(),
            known: Mutex::default(),
            last_used: AtomicU64::new(0),
            lifetimes,
        }
    }

    /// What can be said without asking the host; `None` when it is time to ask.
    pub(super) fn recall(&self, now: Instant) -> Option<Outcome> {
        let known = self.known.lock().expect("no panics under this lock");
        if let Some(document) = known.document_within(self.lifetimes.fresh_for, now) {
            return Some(Ok(document));
        }
        match &known.failure {
            Some((failure, since)) if now < *since + self.lifetimes.retry_after => {
                let stale = known.document_within(self.lifetimes.stale_for, now);
                Some(stale.ok_or_else(|| failure.clone()))
            }
            _ => None,
        }
    }

    /// A document that is good enough while the host is being asked.
    pub(super) fn stale(&self, now: Instant) -> Option<Arc<SupportDocument>> {
        let known = self.known.lock().expect("no panics under this lock");
        known.document_within(self.lifetimes.stale_for, now)
    }

    /// Takes note that the host is asked now.
    pub(super) fn begin(&self) {
        self.known.lock().expect("no panics under this lock").asked = true;
    }

    /// What there is to say to one who cannot wait any longer. It is not remembered: others can.
    pub(super) fn give_up(&self, now: Instant) -> Outcome {
        if let Some(outcome) = self.recall(now) {
            return outcome;
        }
        let known = self.known.lock().expect("no panics under this lock");
        match known.document_within(self.lifetimes.stale_for, now) {
            Some(document) => Ok(document),
            None if known.asked => Err(DocumentError::Unavailable("no answer in time".to_owned())),
            None => Err(DocumentError::Saturated),
        }
    }

    /// Takes note of a host's answer. What there is to say after it.
    pub(super) fn remember(
        &self,
        outcome: Result<SupportDocument, DocumentError>,
        now: Instant,
    ) -> Outcome {
        let mut known = self.known.lock().expect("no panics under this lock");
        known.asked = false;
        match outcome {
            Ok(document) => {
                let document = Arc::new(document);
                known.document = Some((Arc::clone(&document), now));
                known.failure = None;
                Ok(document)
            }
            Err(failure) => {
                if matches!(failure, DocumentError::Absent(_)) {
                    known.document = None;
                }
                known.failure = Some((failure.clone(), now));
                known
                    .document_within(self.lifetimes.stale_for, now)
                    .ok_or(failure)
            }
        }
    }
}

impl Known {
    fn document_within(&self, lifetime: Duration, now: Instant) -> Option<Arc<SupportDocument>> {
        let (document, fetched) = self.document.as_ref()?;
        (now < *fetched + lifetime).then(|| Arc::clone(document))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes {
        fresh_for: Duration::from_secs(100),
        stale_for: Duration::from_secs(1000),
        retry_after: Duration::from_secs(10),
    };

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn unavailable() -> DocumentError {
        DocumentError::Unavailable("down".to_owned())
    }

    #[test]
    fn a_document_is_used_while_fresh_and_asked_for_again_after() {
        let (slot, start) = (Slot::new(LIFETIMES), Instant::now());
        assert_eq!(slot.recall(start), None);
        let document = slot.remember(Ok(SupportDocument::Disabled), start).unwrap();
        assert_eq!(slot.recall(after(start, 99)), Some(Ok(document)));
        assert_eq!(slot.recall(after(start, 100)), None);
    }

    #[test]
    fn a_stale_document_serves_while_its_host_is_down_but_not_for_ever() {
        let (slot, start) = (Slot::new(LIFETIMES), Instant::now());
        let document = slot.remember(Ok(SupportDocument::Disabled), start).unwrap();
        assert_eq!(slot.stale(after(start, 200)), Some(Arc::clone(&document)));
        let outcome = slot.remember(Err(unavailable()), after(start, 200));
        assert_eq!(outcome, Ok(Arc::clone(&document)));
        assert_eq!(slot.recall(after(start, 209)), Some(Ok(document)));
        assert_eq!(slot.recall(after(start, 210)), None, "time to ask again");
        let outcome = slot.remember(Err(unavailable()), after(start, 1000));
        assert_eq!(outcome, Err(unavailable()));
        assert_eq!(slot.stale(after(start, 1000)), None);
    }

    #[test]
    fn a_host_that_has_withdrawn_its_document_is_believed_at_once() {
        let (slot, start) = (Slot::new(LIFETIMES), Instant::now());
        slot.remember(Ok(SupportDocument::Disabled), start).unwrap();
        let outcome = slot.remember(Err(DocumentError::Absent(404)), after(start, 100));
        assert_eq!(outcome, Err(DocumentError::Absent(404)));
        assert_eq!(slot.stale(after(start, 101)), None);
    }

    #[test]
    fn a_failure_is_remembered_for_a_while() {
        let (slot, start) = (Slot::new(LIFETIMES), Instant::now());
        slot.remember(Err(unavailable()), start).unwrap_err();
        assert_eq!(slot.recall(after(start, 9)), Some(Err(unavailable())));
        assert_eq!(slot.recall(after(start, 10)), None);
    }

    #[test]
    fn one_who_gives_up_learns_whether_the_host_was_slow_or_not_asked_at_all() {
        let (slot, start) = (Slot::new(LIFETIMES), Instant::now());
        assert_eq!(slot.give_up(start), Err(DocumentError::Saturated));
        slot.begin();
        let outcome = slot.give_up(start);
        assert!(matches!(outcome, Err(DocumentError::Unavailable(_))));
        assert_eq!(slot.recall(start), None, "for others it is not over");
        let document = slot.remember(Ok(SupportDocument::Disabled), start).unwrap();
        slot.begin();
        assert_eq!(slot.give_up(after(start, 200)), Ok(document));
    }

    #[test]
    fn the_least_recently_used_host_makes_room() {
        let hosts = Hosts::new(2, LIFETIMES);
        let now = Instant::now();
        for host in ["a.test", "b.test"] {
            let remembered = hosts
                .slot(host)
                .remember(Ok(SupportDocument::Disabled), now);
            assert!(remembered.is_ok());
        }
        hosts.slot("a.test");
        hosts.slot("c.test");
        assert!(hosts.slot("a.test").recall(now).is_some(), "used since");
        assert!(hosts.slots.read().unwrap().len() <= 2);
        assert!(hosts.slot("b.test").recall(now).is_none(), "forgotten");
    }
}
