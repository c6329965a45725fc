//! The connections to workers' own sockets, and what they may still bring when a worker is lost.
//!
//! A worker with a socket of its own has two connections, and they have no common order: the end of the one to the backend may be
//! noticed before results that were sent earlier over the other. So a loss is held back until the other has ended, too, and is empty.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::driver::frames::{Parcel, Sending};
use crate::driver::poll::Poll;
use crate::driver::socket::{Dealer, Places};
use crate::master::Peer;
use crate::time::Time;

/// The most connections to workers' own sockets at the same time: each is looked at in every wait.
pub(super) const MAX_OWN_SOCKETS: usize = 256;

/// How long a loss is held back after the last message, in case that the worker lives and has only left the backend. Both connections
/// of a process that died end within microseconds.
const HELD_BACK: Duration = Duration::from_millis(50);

/// All of them, by the core's number.
#[derive(Default)]
pub(super) struct OwnSockets {
    by_number: BTreeMap<u32, Own>,
    losses: Vec<Loss>,
}

struct Own {
    dealer: Dealer,
    /// The connection that the worker registered over.
    registered_over: Peer,
    has_ended: bool,
}

/// A connection to the backend that is gone.
struct Loss {
    peer: Peer,
    socket: u32,
    until: Time,
}

impl OwnSockets {
    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(super) fn insert(&mut self, socket: u32, registered_over: Peer, dealer: Dealer) {
        let own = Own {
            dealer,
            registered_over,
            has_ended: false,
        };
        self.by_number.insert(socket, own);
    }

    pub(super) fn close(&mut self, socket: u32) {
        self.by_number.remove(&socket);
    }

    pub(super) fn send(&mut self, socket: u32, parcel: &mut Parcel) -> Sending {
        let Some(own) = self.by_number.get_mut(&socket) else {
            return Sending::Unreachable;
        };
        own.dealer.send(parcel)
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self, now: Time) {
        for own in self.by_number.values_mut() {
            own.dealer.flush(now);
        }
    }

    /// Receives up to `limit` messages from each and hands each to `deliver`.
    pub(super) fn receive(
        &mut self,
        limit: usize,
        frames: &mut Vec<Bytes>,
        now: Time,
        mut deliver: impl FnMut(Peer, &mut [Bytes]),
    ) {
        for (&socket, own) in &mut self.by_number {
            let mut received = 0;
            while !own.dealer.is_dry() && received < limit {
                frames.clear();
                if own.dealer.receive(frames) {
                    deliver(Peer::Socket(socket), frames);
                }
                received += 1;
            }
            own.has_ended |= own.dealer.news().has_ended;
            if received > 1 && !self.losses.is_empty() {
                let losses = self.losses.iter_mut();
                (losses.filter(|loss| loss.socket == socket))
                    .for_each(|loss| loss.until = now + HELD_BACK);
            }
        }
    }

    /// Whether all of them were found empty, and have not been touched since.
    pub(super) fn are_dry(&self) -> bool {
        self.by_number.values().all(|own| own.dealer.is_dry())
    }

    /// Has all of them asked again.
    pub(super) fn look_again(&self) {
        self.by_number
            .values()
            .for_each(|own| own.dealer.look_again());
    }

    /// Has a poll look at them.
    pub(super) fn watch<'fd>(&'fd self, poll: &mut Poll<'fd>) -> Vec<Places> {
        let all = self.by_number.values();
        all.map(|own| own.dealer.watch(poll)).collect()
    }

    /// Takes note of what the poll has found.
    pub(super) fn note(&self, poll: &Poll<'_>, places: &[Places]) {
        for (own, &places) in self.by_number.values().zip(places) {
            own.dealer.note(poll, places);
        }
    }

    /// When one of them is to connect again.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        (self.by_number.values())
            .filter_map(|own| own.dealer.next_deadline())
            .min()
    }

    /// Holds back that a connection to the backend is gone, if the worker may have sent something that is not here yet. Returns
    /// whether it did.
    pub(super) fn hold(&mut self, peer: Peer, now: Time) -> bool {
        if self.losses.iter().any(|loss| loss.peer == peer) {
            return true;
        }
        let own = (self.by_number.iter()).find(|(_, own)| own.registered_over == peer);
        let Some((&socket, _)) = own.filter(|(_, own)| !own.is_spent()) else {
            return false;
        };
        let until = now + HELD_BACK;
        self.losses.push(Loss {
            peer,
            socket,
            until,
        });
        true
    }

    /// The connections of which it is to be told now that they are gone.
    pub(super) fn release(&mut self, now: Time) -> Vec<Peer> {
        let released = self.losses.extract_if(.., |loss| {
            let own = self.by_number.get(&loss.socket);
            own.is_none_or(Own::is_spent) || loss.until <= now
        });
        released.map(|loss| loss.peer).collect()
    }

    /// When a loss is told at the latest, if one is held back.
    pub(super) fn release_at(&self) -> Option<Time> {
        self.losses.iter().map(|loss| loss.until).min()
    }
}

impl Own {
    /// Whether nothing more comes.
    fn is_spent(&self) -> bool {
        self.has_ended && self.dealer.is_dry()
    }
}
