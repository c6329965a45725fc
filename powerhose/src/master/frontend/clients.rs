//! The clients that hold a session.

use std::collections::{HashMap, VecDeque};

use slab::Slab;

use crate::master::Ticket;
use crate::master::meter::Meter;
use crate::time::Time;
use crate::wire::{Open, Reply};

/// A place in the table and the session that must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ClientKey {
    pub(super) index: u32,
    pub(super) session: u64,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) key: ClientKey,
    /// Where it is; `None` while it is away.
    pub(super) connection: Option<u64>,
    pub(super) introduction: Open,
    /// When it lost its connection, if it has none.
    pub(super) away_since: Time,
    pub(super) opened: Time,
    /// Limits how often it opens a session.
    pub(super) meter: Meter,
    pub(super) last_seen: Time,
    /// When the timer that counts is armed for; others are stale.
    pub(super) armed: Option<Time>,
    /// The jobs under way by the client's number.
    pub(super) jobs: HashMap<u64, Ticket>,
    /// Their payloads in bytes.
    pub(super) bytes: usize,
    /// The highest number of a job received.
    pub(super) submitted: u64,
    /// The number of replies made so far.
    pub(super) replied: u64,
    pub(super) kept: Kept,
}

/// The latest replies, until the client says that it has them.
#[derive(Debug, Default)]
pub(super) struct Kept {
    replies: VecDeque<Reply>,
    bytes: usize,
}

impl Kept {
    pub(super) fn len(&self) -> usize {
        self.replies.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, reply: Reply) {
        self.bytes += reply.body.len();
        self.replies.push_back(reply);
    }

    /// Forgets the oldest. Returns whether there was one.
    pub(super) fn forget_oldest(&mut self) -> bool {
        match self.replies.pop_front() {
            Some(reply) => {
                self.bytes -= reply.body.len();
                true
            }
            None => false,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Reply> {
        self.replies.iter()
    }
}

impl Client {
    /// How many of the first replies are not kept any more.
    pub(super) fn forgotten(&self) -> u64 {
        self.replied - self.kept.len() as u64
    }

    /// Forgets the replies that the client has received. More than there have been is not believed.
    pub(super) fn acknowledge(&mut self, received: u64) {
        while self.forgotten() < received.min(self.replied) {
            self.kept.forget_oldest();
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Clients {
    table: Slab<Client>,
    by_session: HashMap<u64, u32>,
    by_connection: HashMap<u64, u32>,
}

impl Clients {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The key that the next client gets with this session.
    pub(super) fn next_key(&self, session: u64) -> ClientKey {
        let index = u32::try_from(self.table.vacant_key()).unwrap_or(u32::MAX);
        ClientKey { index, session }
    }

    /// Enters a client whose key is [`next_key`](Self::next_key).
    pub(super) fn insert(&mut self, client: Client) {
        let key = client.key;
        self.by_session.insert(key.session, key.index);
        if let Some(connection) = client.connection {
            self.by_connection.insert(connection, key.index);
        }
        self.table.insert(client);
    }

    pub(super) fn remove(&mut self, key: ClientKey) -> Option<Client> {
        self.detach(key);
        self.get(key)?;
        self.by_session.remove(&key.session);
        Some(self.table.remove(key.index as usize))
    }

    /// Moves a client to another connection.
    pub(super) fn attach(&mut self, key: ClientKey, connection: u64) {
        self.detach(key);
        if let Some(client) = self.get_mut(key) {
            client.connection = Some(connection);
            self.by_connection.insert(connection, key.index);
        }
    }

    /// Takes a client's connection away, and returns it.
    pub(super) fn detach(&mut self, key: ClientKey) -> Option<u64> {
        let connection = self.get_mut(key)?.connection.take()?;
        self.by_connection.remove(&connection);
        Some(connection)
    }

    pub(super) fn get(&self, key: ClientKey) -> Option<&Client> {
        (self.table.get(key.index as usize)).filter(|client| client.key == key)
    }

    pub(super) fn get_mut(&mut self, key: ClientKey) -> Option<&mut Client> {
        (self.table.get_mut(key.index as usize)).filter(|client| client.key == key)
    }

    pub(super) fn by_session(&self, session: u64) -> Option<ClientKey> {
        let index = *self.by_session.get(&session)?;
        self.table.get(index as usize).map(|client| client.key)
    }

    pub(super) fn by_connection(&self, connection: u64) -> Option<ClientKey> {
        let index = *self.by_connection.get(&connection)?;
        self.table.get(index as usize).map(|client| client.key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.table.iter().map(|(_, client)| client)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Client> {
        self.table.iter_mut().map(|(_, client)| client)
    }

    /// Those with a connection.
    pub(super) fn attached(&self) -> Vec<(ClientKey, u64)> {
        self.iter()
            .filter_map(|client| Some((client.key, client.connection?)))
            .collect()
    }
}
