//! ZMTP 3.1 over unix sockets, without libzmq: the ROUTER and the DEALER of this machine's ipc endpoints.
//!
//! libzmq moves each message through a thread of its own, on both sides. On one machine these hops are most of what a short job
//! costs, so here the thread that owns a socket reads and writes it itself. Peers cannot tell the difference: what is spoken is
//! ZMTP 3.1 (rfc.zeromq.org/spec/37) with the NULL mechanism, as libzmq speaks it over ipc, and what a socket does follows libzmq's ROUTER
//! and DEALER (rfc.zeromq.org/spec/28). What goes over tcp, with CURVE or without, is libzmq's.
//!
//! | Part | Its room |
//! |---|---|
//! | [`greeting`], [`command`], [`frame`] | bytes to meaning and back, without a socket |
//! | [`inlet`], [`outlet`] | the bytes of one connection on their way in and out |
//! | [`connection`] | one peer: handshake, frames, messages |
//! | [`router`], [`dealer`] | sockets as the rest of the library uses them |

mod command;
mod connection;
mod dealer;
mod frame;
mod greeting;
mod inlet;
mod linger;
mod outlet;
mod router;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use self::dealer::Broken;
pub(super) use self::dealer::Dealer;
pub(super) use self::router::Router;

/// The bytes kept for a connection whose peer does not read, beyond what the kernel keeps. A message is taken as long as fewer
/// wait, so one may go over it.
const HIGH_WATER_MARK: usize = 1024 * 1024;

/// Message frames up to this length are copied, larger ones are read into and written from memory of their own.
const COPY_LIMIT: usize = 8 * 1024;

/// How long a peer may take from the connection to its READY, as in libzmq.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// How soon a DEALER tries again to connect, as in libzmq.
const RECONNECT: Duration = Duration::from_millis(100);

/// What a socket is, as its peers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Dealer,
    Router,
}

impl Role {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Dealer => b"DEALER",
            Self::Router => b"ROUTER",
        }
    }

    /// Whether a peer of this socket type may connect (RFC 28).
    fn accepts(self, peer: &[u8]) -> bool {
        match self {
            Self::Router => matches!(peer, b"DEALER" | b"REQ" | b"ROUTER"),
            Self::Dealer => matches!(peer, b"ROUTER" | b"REP" | b"DEALER"),
        }
    }
}

/// How a peer broke the protocol. Its connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Violation {
    #[error("it does not begin as ZMTP 3 does")]
    Greeting,
    #[error("it asks for another security mechanism than NULL")]
    Mechanism,
    #[error("a frame has flags that ZMTP 3 does not know")]
    Flags,
    #[error("a frame is larger than allowed")]
    FrameSize,
    #[error("a command is malformed, or not to be expected now")]
    Command,
    #[error("its socket type does not go with this one")]
    SocketType,
    #[error("it refused this socket")]
    Refused,
}
