//! The two kinds of sockets: the ROUTER that a master listens with, the DEALER that connects to one.
//!
//! On ipc they speak ZMTP themselves ([`zmtp`](super::zmtp)), on tcp libzmq does it for them ([`libzmq`](super::libzmq)); peers see no
//! difference. Both send and receive whole messages and never block. Whoever drives one sends, receives until there is nothing
//! more, flushes, watches it in a [`Poll`](super::poll::Poll), notes what that found, and looks for news.

mod dealer;
mod router;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;

pub(crate) use self::dealer::Dealer;
pub(crate) use self::router::Router;
pub(crate) use super::zmtp::Broken;

/// Settings that both ends choose for their sockets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Larger frames end the connection. A backstop: choose it well above what the codec refuses.
    pub(crate) max_frame: u64,
    /// How long a closed socket goes on delivering what was sent.
    pub(crate) linger: Duration,
    /// ZMTP heartbeats: how often to ping an idle peer, and how long its silence may last. Only the master sets them, and no
    /// time to live, with which a master that was stopped for a while would find its workers gone.
    pub(crate) heartbeat: Option<(Duration, Duration)>,
}

/// Where a ROUTER received a message from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A connection, by its number. A number comes again only after 2^32 connections.
    Connection(u64),
    /// A peer that chose its routing id itself, which the protocol forbids: it could take another one's mail.
    Foreign(Foreign),
}

/// How a peer that chose its routing id itself is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Foreign {
    Connection(u64),
    /// libzmq knows it by that routing id alone.
    RoutingId(Bytes),
}

/// The places of a socket's descriptors in a [`Poll`](super::poll::Poll).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Places {
    zmtp: Option<usize>,
    libzmq: Option<usize>,
    monitor: Option<usize>,
}
