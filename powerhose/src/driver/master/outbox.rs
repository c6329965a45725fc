//! Mail that libzmq had no room for.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::driver::frames::{Parcel, Sending};
use crate::time::Time;

/// The most messages kept for one peer, on top of the 1,000 that libzmq keeps. Their bodies are shared with the jobs that the core
/// keeps anyway, so messages are what there is to bound.
const MAX_MESSAGES: usize = 8192;

/// How soon delivery is tried again. libzmq does not tell of which connection there is room; an attempt costs a fraction of a
/// microsecond for each peer that is behind.
const RETRY: Duration = Duration::from_millis(1);

/// The mail of all peers that are behind, in order for each.
pub(super) struct Outboxes<P> {
    by_peer: BTreeMap<P, Mail>,
    /// The most bytes kept for one peer.
    max_bytes: usize,
    retry_at: Time,
}

#[derive(Default)]
struct Mail {
    parcels: VecDeque<Parcel>,
    bytes: usize,
}

/// There are too many messages for one peer; they have been dropped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl<P: Copy + Ord> Outboxes<P> {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            by_peer: BTreeMap::new(),
            max_bytes,
            retry_at: Time::ZERO,
        }
    }

    /// Whether messages for this peer must wait behind others.
    pub(super) fn is_behind(&self, peer: P) -> bool {
        !self.by_peer.is_empty() && self.by_peer.contains_key(&peer)
    }

    /// Keeps a message for later.
    pub(super) fn push(&mut self, peer: P, parcel: Parcel, now: Time) -> Result<(), Overflow> {
        if self.by_peer.is_empty() {
            self.retry_at = now + RETRY;
        }
        let mail = self.by_peer.entry(peer).or_default();
        let bytes = mail.bytes.saturating_add(parcel.len());
        if mail.parcels.len() >= MAX_MESSAGES || bytes > self.max_bytes {
            self.by_peer.remove(&peer);
            return Err(Overflow);
        }
        mail.bytes = bytes;
        mail.parcels.push_back(parcel);
        Ok(())
    }

    /// Drops the mail of a peer.
    pub(super) fn forget(&mut self, peer: P) {
        self.by_peer.remove(&peer);
    }

    /// When delivery is to be tried again, if there is something to deliver.
    pub(super) fn retry_at(&self) -> Option<Time> {
        (!self.by_peer.is_empty()).then_some(self.retry_at)
    }

    /// Tries delivery if it is time. Returns the peers that were found unreachable; their mail is dropped.
    pub(super) fn flush(
        &mut self,
        now: Time,
        mut send: impl FnMut(P, &mut Parcel) -> Sending,
    ) -> Vec<P> {
        let mut lost = Vec::new();
        if self.retry_at().is_none_or(|at| now < at) {
            return lost;
        }
        self.retry_at = now + RETRY;
        self.by_peer.retain(|&peer, mail| {
            while let Some(parcel) = mail.parcels.front_mut() {
                let len = parcel.len();
                match send(peer, parcel) {
                    Sending::Sent => {
                        mail.bytes -= len;
                        mail.parcels.pop_front();
                    }
                    Sending::WouldBlock => return true,
                    Sending::Unreachable => {
                        lost.push(peer);
                        return false;
                    }
                }
            }
            false
        });
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::Peer;

    const PEER: Peer = Peer::Backend(1);

    fn later(outboxes: &Outboxes<Peer>) -> Time {
        outboxes.retry_at().expect("there is mail")
    }

    #[test]
    fn mail_is_delivered_in_order_once_there_is_room() {
        let mut outboxes = Outboxes::new(usize::MAX);
        for _ in 0..3 {
            assert_eq!(outboxes.push(PEER, Parcel::default(), Time::ZERO), Ok(()));
        }
        assert!(outboxes.is_behind(PEER));
        assert!(!outboxes.is_behind(Peer::Socket(1)));
        assert!(
            outboxes
                .flush(Time::ZERO, |_, _| unreachable!("it is too soon"))
                .is_empty()
        );
        let mut room = 2;
        let now = later(&outboxes);
        outboxes.flush(now, |_, _| {
            if room == 0 {
                return Sending::WouldBlock;
            }
            room -= 1;
            Sending::Sent
        });
        assert!(outboxes.is_behind(PEER));
        let now = later(&outboxes);
        outboxes.flush(now, |_, _| Sending::Sent);
        assert!(!outboxes.is_behind(PEER));
        assert_eq!(outboxes.retry_at(), None);
    }

    #[test]
    fn too_much_mail_is_dropped_and_told() {
        let mut outboxes = Outboxes::new(usize::MAX);
        for _ in 0..MAX_MESSAGES {
            assert_eq!(outboxes.push(PEER, Parcel::default(), Time::ZERO), Ok(()));
        }
        let full = outboxes.push(PEER, Parcel::default(), Time::ZERO);
        assert_eq!(full, Err(Overflow));
        assert!(!outboxes.is_behind(PEER));
    }

    #[test]
    fn too_many_bytes_are_dropped_and_told() {
        let mut outboxes = Outboxes::new(100);
        let parcel = |len: usize| {
            let mut parcel = Parcel::default();
            parcel.for_client(crate::wire::ToClient::Report {
                body: vec![0; len].into(),
            });
            parcel
        };
        assert_eq!(outboxes.push(PEER, parcel(20), Time::ZERO), Ok(()));
        assert_eq!(outboxes.push(PEER, parcel(20), Time::ZERO), Ok(()));
        let full = outboxes.push(PEER, parcel(20), Time::ZERO);
        assert_eq!(full, Err(Overflow));
        assert!(!outboxes.is_behind(PEER));
    }

    #[test]
    fn a_peer_that_is_gone_is_told_once_and_does_not_hold_up_others() {
        let mut outboxes = Outboxes::new(usize::MAX);
        let other = Peer::Backend(2);
        for peer in [PEER, PEER, other] {
            assert_eq!(outboxes.push(peer, Parcel::default(), Time::ZERO), Ok(()));
        }
        let now = later(&outboxes);
        let lost = outboxes.flush(now, |peer, _| {
            if peer == PEER {
                Sending::Unreachable
            } else {
                Sending::Sent
            }
        });
        assert_eq!(lost, [PEER]);
        assert_eq!(outboxes.retry_at(), None);
    }
}
