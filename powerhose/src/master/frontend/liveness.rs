//! Which clients are still there, and how long the others have to come back.

use std::cmp::Reverse;

use super::Frontend;
use super::clients::{Client, ClientKey};
use crate::time::Time;
use crate::wire::{DisconnectReason, ToClient};

/// How often in a heartbeat interval the core makes sure that the process was not stopped.
const PULSES: u32 = 4;

/// Below this number sweeping stale timers is not worth the pass.
const SWEEP_ABOVE: usize = 1024;

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The client may have been silent or away for too long.
    Check(ClientKey),
    /// The time since the last one of these is as long as it should be, or the process was stopped.
    Pulse,
    /// A connection closed not long ago: find out whose.
    Probe,
}

impl Frontend {
    fn set_timer(&mut self, at: Time, timer: Timer) {
        self.timers.push(Reverse((at, timer)));
        // A client that goes and comes leaves timers behind that have lost their purpose.
        if self.timers.len() > SWEEP_ABOVE + 4 * self.clients.len() {
            let clients = &self.clients;
            self.timers.retain(|Reverse((at, timer))| match *timer {
                Timer::Check(key) => clients.get(key).is_some_and(|it| it.armed == Some(*at)),
                Timer::Pulse | Timer::Probe => true,
            });
        }
    }

    pub(super) fn tick(&mut self, now: Time) {
        while let Some(Reverse((at, timer))) = self.timers.peek().copied()
            && at <= now
        {
            self.timers.pop();
            match timer {
                Timer::Check(key) => self.check(key, at, now),
                Timer::Pulse => {
                    self.pulsing = false;
                    if self.clients.len() > 0 {
                        self.start_pulse(now);
                    }
                }
                Timer::Probe => self.probe(now),
            }
        }
    }

    /// When the session ends unless something is heard.
    fn due(&self, client: &Client) -> Time {
        match client.connection {
            Some(_) => client.last_seen + self.config.silence_limit(),
            None => client.away_since + self.config.grace,
        }
    }

    /// Sees to it that the client is looked at in time. One timer counts for each; it moves when it fires, and only a client that
    /// goes away or comes back needs another one.
    pub(super) fn arm(&mut self, key: ClientKey, now: Time) {
        let Some(client) = self.clients.get(key) else {
            return;
        };
        let due = self.due(client).max(now);
        if client.armed.is_some_and(|armed| armed <= due) {
            return;
        }
        if let Some(client) = self.clients.get_mut(key) {
            client.armed = Some(due);
        }
        self.set_timer(due, Timer::Check(key));
    }

    fn check(&mut self, key: ClientKey, at: Time, now: Time) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        if client.armed != Some(at) {
            return;
        }
        client.armed = None;
        let due = (self.clients.get(key)).map(|client| self.due(client));
        if due.is_some_and(|due| due > now) {
            return self.arm(key, now);
        }
        tracing::debug!(
            session = key.session,
            "client was away or silent for too long"
        );
        self.counters.expired += 1;
        self.dismiss(key, DisconnectReason::Silent);
    }

    /// Credits the time during which the whole process was stopped to every client.
    pub(super) fn credit_pause(&mut self, now: Time) {
        let Some(expected) = self.expected else {
            return;
        };
        let gap = now.since(expected);
        if gap <= self.config.heartbeat / PULSES {
            return;
        }
        for client in self.clients.iter_mut() {
            client.last_seen = client.last_seen + gap;
            client.away_since = client.away_since + gap;
        }
    }

    /// Has the driver come by often enough for no pause worth a credit to go unnoticed.
    pub(super) fn start_pulse(&mut self, now: Time) {
        if !std::mem::replace(&mut self.pulsing, true) {
            self.set_timer(now + self.config.heartbeat / PULSES, Timer::Pulse);
        }
    }

    /// The client lost its connection; it has a while to come back.
    pub(super) fn went_away(&mut self, key: ClientKey, now: Time) {
        tracing::debug!(session = key.session, "client is away");
        self.counters.lost += 1;
        self.clients.detach(key);
        if let Some(client) = self.clients.get_mut(key) {
            client.away_since = now;
        }
        self.arm(key, now);
    }

    pub(super) fn unreachable(&mut self, connection: u64, now: Time) {
        if let Some(key) = self.clients.by_connection(connection) {
            self.went_away(key, now);
        }
    }

    pub(super) fn overflow(&mut self, connection: u64) {
        let Some(key) = self.clients.by_connection(connection) else {
            return;
        };
        self.counters.overflowed += 1;
        self.dismiss(key, DisconnectReason::Overflow);
    }

    pub(super) fn probe_soon(&mut self, now: Time) {
        if let Some(at) = self.probing.begin(now, self.clients.len()) {
            self.set_timer(at, Timer::Probe);
        }
    }

    /// Writes to every client: a connection that is gone answers at once.
    fn probe(&mut self, now: Time) {
        if !self.probing.is_due(now) {
            return;
        }
        for (key, _) in self.clients.attached() {
            let session = key.session;
            self.send(key, ToClient::Heartbeat { session });
        }
        if let Some(at) = self.probing.done(self.clients.len()) {
            self.set_timer(at, Timer::Probe);
        }
    }
}
