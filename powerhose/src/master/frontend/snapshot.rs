//! What the frontend tells of itself.

use std::time::Duration;

use super::Frontend;
use super::clients::Client;
use crate::time::Time;

/// Counters of the frontend since the master started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct FrontendCounters {
    /// Sessions begun.
    pub opened: u64,
    /// Sessions resumed over another connection.
    pub resumed: u64,
    /// Messages refused with REJECTED.
    pub rejected: u64,
    /// Sessions refused because they were asked for too often.
    pub throttled: u64,
    /// Jobs received.
    pub submitted: u64,
    /// Jobs received before, which were dropped.
    pub duplicates: u64,
    /// Replies made, sent or not.
    pub replied: u64,
    /// Jobs withdrawn by their clients.
    pub withdrawn: u64,
    /// Jobs withdrawn because their sessions ended.
    pub abandoned: u64,
    /// Connections of clients lost.
    pub lost: u64,
    /// Sessions that ended because their clients were away or silent for too long.
    pub expired: u64,
    /// Clients that left in order.
    pub left: u64,
    /// Clients whose mail piled up beyond the bound.
    pub overflowed: u64,
    /// Messages that named an unknown session.
    pub unknown_sessions: u64,
    /// Messages that were none.
    pub malformed: u64,
    /// Those of them that are of another version of the protocol.
    pub other_versions: u64,
    /// Messages of peers that chose their routing id themselves. The driver refuses them.
    pub foreign: u64,
}

/// The states of protocol.md's table of clients as the master sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientState {
    /// It has a connection.
    Attached,
    /// It has lost it and may come back.
    Away,
}

/// What the master knows of one client.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientSnapshot {
    /// Its session.
    pub session: u64,
    /// Its process id, as it says.
    pub pid: u32,
    /// Its host, as it says.
    pub host: String,
    /// Its implementation, as it says.
    pub implementation: String,
    /// Its state.
    pub state: ClientState,
    /// Its jobs that have had no reply.
    pub jobs: usize,
    /// Their payloads in bytes.
    pub bytes: usize,
    /// The highest number of a job received.
    pub submitted: u64,
    /// Replies made.
    pub replied: u64,
    /// Replies kept until it acknowledges them.
    pub kept: usize,
    /// How long ago its session began.
    pub age: Duration,
    /// How long ago it was last heard of.
    pub silence: Duration,
}

impl Frontend {
    /// The counters.
    pub fn counters(&self) -> &FrontendCounters {
        &self.counters
    }

    /// The clients that hold a session.
    pub fn clients(&self, now: Time) -> Vec<ClientSnapshot> {
        (self.clients.iter())
            .map(|client| snapshot(client, now))
            .collect()
    }

    /// How many jobs have had no reply.
    pub fn jobs(&self) -> usize {
        self.jobs.len()
    }
}

fn snapshot(client: &Client, now: Time) -> ClientSnapshot {
    let introduction = &client.introduction;
    ClientSnapshot {
        session: client.key.session,
        pid: introduction.pid,
        host: introduction.host.clone(),
        implementation: introduction.implementation.clone(),
        state: match client.connection {
            Some(_) => ClientState::Attached,
            None => ClientState::Away,
        },
        jobs: client.jobs.len(),
        bytes: client.bytes,
        submitted: client.submitted,
        replied: client.replied,
        kept: client.kept.len(),
        age: now.since(client.opened),
        silence: now.since(client.last_seen),
    }
}
