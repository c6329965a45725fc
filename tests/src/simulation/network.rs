//! Connections: each carries messages both ways in order, until it breaks and loses what is on the way.

use std::collections::VecDeque;

use powerhose::Time;
use powerhose::master::Peer;
use powerhose::wire::{FromWorker, ToWorker, WireError};
use rand::RngExt;
use rand::rngs::SmallRng;

/// What comes out of a connection: a message, or what is none.
pub(super) type Received<M> = Result<M, WireError>;

/// What is on the way.
#[derive(Debug)]
pub(super) struct Letter<M> {
    arrival: Time,
    pub(super) content: Received<M>,
    /// It comes for the second time.
    pub(super) echo: bool,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Pipe<M> {
    messages: VecDeque<Letter<M>>,
    last: Time,
}

impl<M> Default for Pipe<M> {
    fn default() -> Self {
        Self {
            messages: VecDeque::new(),
            last: Time::ZERO,
        }
    }
}

impl<M> Pipe<M> {
    /// Puts a message on the way. Returns when it arrives: not before those sent before it.
    pub(super) fn push(&mut self, content: Received<M>, echo: bool, arrival: Time) -> Time {
        self.last = self.last.max(arrival);
        self.messages.push_back(Letter {
            arrival: self.last,
            content,
            echo,
        });
        self.last
    }

    /// Takes the message that arrives now, if it has not been lost.
    pub(super) fn pop(&mut self, now: Time) -> Option<Letter<M>> {
        if self.messages.front()?.arrival > now {
            return None;
        }
        self.messages.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn clear(&mut self) {
        self.messages.clear();
    }

    /// Loses the end of what is on the way, or nothing. Returns when the rest has arrived.
    fn cut(&mut self, random: &mut SmallRng) -> Time {
        if !self.messages.is_empty() && random.random() {
            let left = random.random_range(0..=self.messages.len());
            self.messages.truncate(left);
        }
        self.messages
            .back()
            .map_or(Time::ZERO, |letter| letter.arrival)
    }
}

/// How the master's side of a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MasterEnd {
    Open,
    /// The other side is gone. The master does not know yet, and what it sends is lost.
    Forsaken,
    /// The master knows. Writes are refused from this time on; before it they seem to succeed.
    Refusing {
        from: Time,
    },
    /// The master closed it, or died.
    Gone,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: Peer,
    /// The worker's process and its life.
    pub(super) process: u8,
    pub(super) life: u32,
    /// The socket of the process that it belongs to. A worker's own socket is one for all of its life.
    pub(super) socket: u32,
    /// The life of the master.
    pub(super) reign: u32,
    pub(super) up: Pipe<FromWorker>,
    pub(super) down: Pipe<ToWorker>,
    pub(super) master_end: MasterEnd,
    /// Whether the worker's side can still send.
    pub(super) worker_end: bool,
    /// Nothing arrives before this time.
    pub(super) blocked_until: Time,
    pub(super) blocked_since: Time,
}

impl Connection {
    pub(super) fn is_own_socket(&self) -> bool {
        matches!(self.peer, Peer::Socket(_))
    }

    /// The worker's side closed. Returns when the master's system can notice.
    pub(super) fn forsake(&mut self, now: Time, random: &mut SmallRng) -> Time {
        self.worker_end = false;
        self.down.clear();
        let rest = self.up.cut(random);
        if self.master_end == MasterEnd::Open {
            self.master_end = MasterEnd::Forsaken;
        }
        now.max(rest).max(self.blocked_until)
    }

    /// The line broke: both sides lose the end of what is on the way to them.
    pub(super) fn sever(&mut self, now: Time, random: &mut SmallRng) -> Time {
        self.worker_end = false;
        self.down.cut(random);
        let rest = self.up.cut(random);
        if self.master_end == MasterEnd::Open {
            self.master_end = MasterEnd::Forsaken;
        }
        now.max(rest)
    }

    /// The master's side closed, or died.
    pub(super) fn hang_up(&mut self, random: &mut SmallRng) {
        self.worker_end = false;
        self.master_end = MasterEnd::Gone;
        self.up.clear();
        self.down.cut(random);
    }
}

/// Every connection of a run, by number.
#[derive(Debug, Default)]
pub(super) struct Network {
    connections: Vec<Connection>,
}

impl Network {
    pub(super) fn add(&mut self, connection: Connection) -> u32 {
        self.connections.push(connection);
        u32::try_from(self.connections.len() - 1).expect("a run has few connections")
    }

    pub(super) fn get(&mut self, number: u32) -> &mut Connection {
        &mut self.connections[number as usize]
    }

    /// The connection behind a name that the master uses in this reign.
    pub(super) fn by_peer(&self, peer: Peer, reign: u32) -> Option<u32> {
        // The master writes to connections made lately.
        let found = (self.connections.iter())
            .rposition(|connection| connection.peer == peer && connection.reign == reign)?;
        u32::try_from(found).ok()
    }

    /// The numbers of the connections that both sides hold.
    pub(super) fn live(&self) -> Vec<u32> {
        let live = |connection: &Connection| {
            connection.worker_end && connection.master_end == MasterEnd::Open
        };
        (0..)
            .zip(&self.connections)
            .filter(|(_, connection)| live(connection))
            .map(|(number, _)| number)
            .collect()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Connection)> {
        (0..).zip(&mut self.connections)
    }
}
