//! How clients' sessions begin, resume and end.

use std::collections::HashMap;

use rand::RngExt;

use super::clients::{Client, ClientKey, Kept};
use super::{Frontend, FrontendAction, Phase};
use crate::master::meter::Meter;
use crate::master::{IMPLEMENTATION, Ticket};
use crate::time::Time;
use crate::wire::limits::{REGISTER_BURST, REGISTER_INTERVAL, SESSION_BURST, SESSION_INTERVAL};
use crate::wire::{DisconnectReason, Open, Opened, RejectReason, Rejection, ToClient, VERSION};

impl Frontend {
    pub(super) fn open(&mut self, connection: u64, session: u64, open: Open, now: Time) {
        let here = self.clients.by_connection(connection);
        let named = self.clients.by_session(session);
        let mut meter = Meter::default();
        if let Some(client) = here.or(named).and_then(|key| self.clients.get_mut(key)) {
            let is_admitted = client.meter.admits(REGISTER_INTERVAL, REGISTER_BURST, now);
            meter = client.meter;
            if !is_admitted {
                self.counters.throttled += 1;
                let message = "this client opens sessions too often";
                return self.reject(connection, session, RejectReason::TooManyClients, message);
            }
        }
        if session == 0
            && let Some(key) = here
        {
            // The question that came twice, or whose answer got lost.
            self.heard_of(key, now);
            self.send_terms(key);
            return;
        }
        // Whatever else this connection was before, it is not any more.
        if let Some(key) = here
            && Some(key) != named
        {
            self.end_session(key);
        }
        match named {
            Some(key) if self.can_resume(key, open.received) => {
                self.resume(key, connection, open, now);
            }
            named => {
                if let Some(key) = named {
                    self.end_session(key);
                }
                self.enter(connection, session, open, meter, now);
            }
        }
    }

    /// Whether every reply that the client has not received is there to be sent again.
    fn can_resume(&self, key: ClientKey, received: u64) -> bool {
        (self.clients.get(key))
            .is_some_and(|client| (client.forgotten()..=client.replied).contains(&received))
    }

    fn resume(&mut self, key: ClientKey, connection: u64, open: Open, now: Time) {
        tracing::debug!(session = key.session, "client is back");
        self.counters.resumed += 1;
        self.clients.attach(key, connection);
        self.heard_of(key, now);
        self.send_terms(key);
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        client.acknowledge(open.received);
        client.introduction = open;
        let again = client.kept.iter().map(|reply| FrontendAction::Send {
            connection,
            message: ToClient::Reply {
                session: key.session,
                reply: reply.clone(),
            },
        });
        self.actions.extend(again);
        if self.phase == Phase::Draining {
            self.send(
                key,
                ToClient::Drain {
                    session: key.session,
                },
            );
        }
        self.arm(key, now);
    }

    fn enter(&mut self, connection: u64, session: u64, open: Open, meter: Meter, now: Time) {
        if self.phase != Phase::Running {
            let message = "the master is shutting down";
            return self.reject(connection, session, RejectReason::Draining, message);
        }
        let limit = self.config.max_clients;
        if self.clients.len() >= limit {
            let message = format!("{limit} clients have a session, and no more are allowed");
            return self.reject(connection, session, RejectReason::TooManyClients, &message);
        }
        let burst = u32::try_from(limit).unwrap_or(u32::MAX).max(SESSION_BURST);
        if !self.sessions.admits(SESSION_INTERVAL, burst, now) {
            self.counters.throttled += 1;
            let message = "too many clients open sessions at once";
            return self.reject(connection, session, RejectReason::TooManyClients, message);
        }
        let session = self.fresh_session();
        let key = self.clients.next_key(session);
        tracing::debug!(
            session = key.session,
            pid = open.pid,
            "client has a session"
        );
        self.counters.opened += 1;
        self.clients.insert(Client {
            key,
            connection: Some(connection),
            introduction: open,
            away_since: now,
            opened: now,
            meter,
            last_seen: now,
            armed: None,
            jobs: HashMap::new(),
            bytes: 0,
            submitted: 0,
            replied: 0,
            kept: Kept::default(),
        });
        self.send_terms(key);
        self.arm(key, now);
        self.start_pulse(now);
    }

    fn fresh_session(&mut self) -> u64 {
        loop {
            let session = self.random.random();
            if session != 0 && self.clients.by_session(session).is_none() {
                return session;
            }
        }
    }

    fn send_terms(&mut self, key: ClientKey) {
        let Some(client) = self.clients.get(key) else {
            return;
        };
        let config = &self.config;
        let millis =
            |duration: std::time::Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        let terms = Opened {
            heartbeat_ms: millis(config.heartbeat),
            misses: config.misses,
            max_body: config.max_body as u64,
            grace_ms: millis(config.grace),
            max_jobs: u32::try_from(config.max_client_jobs).unwrap_or(u32::MAX),
            max_bytes: config.max_client_bytes as u64,
            submitted: client.submitted,
            implementation: IMPLEMENTATION.to_owned(),
        };
        let session = key.session;
        self.send(key, ToClient::Opened { session, terms });
    }

    /// The session over whose connection a message came that names it. Any other is told that there is none.
    pub(super) fn known(&mut self, connection: u64, session: u64, now: Time) -> Option<ClientKey> {
        let here = self.clients.by_connection(connection);
        match here.filter(|key| key.session == session) {
            Some(key) => {
                self.heard_of(key, now);
                Some(key)
            }
            None => {
                self.counters.unknown_sessions += 1;
                let message = "open a session first";
                self.reject(connection, session, RejectReason::UnknownSession, message);
                None
            }
        }
    }

    fn heard_of(&mut self, key: ClientKey, now: Time) {
        if let Some(client) = self.clients.get_mut(key) {
            client.last_seen = now;
        }
    }

    /// Tells a client why its session ends, and ends it.
    pub(super) fn dismiss(&mut self, key: ClientKey, reason: DisconnectReason) {
        let session = key.session;
        self.send(key, ToClient::Disconnect { session, reason });
        self.end_session(key);
    }

    /// Ends a session and withdraws its jobs.
    pub(super) fn end_session(&mut self, key: ClientKey) {
        let Some(client) = self.clients.remove(key) else {
            return;
        };
        self.counters.abandoned += client.jobs.len() as u64;
        let mut jobs: Vec<Ticket> = client.jobs.into_values().collect();
        jobs.sort_unstable();
        for ticket in jobs {
            self.take(ticket);
            self.actions.push_back(FrontendAction::Cancel { ticket });
        }
    }

    pub(super) fn reject(
        &mut self,
        connection: u64,
        session: u64,
        reason: RejectReason,
        message: &str,
    ) {
        self.counters.rejected += 1;
        self.actions.push_back(FrontendAction::Send {
            connection,
            message: ToClient::Rejected {
                session,
                reason,
                rejection: Rejection {
                    message: message.to_owned(),
                    versions: vec![VERSION],
                },
            },
        });
    }
}
