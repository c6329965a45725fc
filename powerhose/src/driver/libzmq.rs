//! libzmq's ROUTER and DEALER, for tcp.
//!
//! Both send and receive whole messages and never block. To sleep until something comes, see [`poll`](super::poll): after the last
//! send, receive until there is nothing more, then poll the descriptor.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use bytes::Bytes;

use super::curve::{self, Domain};
use super::endpoint::Endpoint;
use super::frames::{self, Parcel, Sending};
use super::monitor::{Monitor, watch};
use super::socket::Options;
use crate::security::{CurveClient, CurveServer};

/// The messages that libzmq keeps for each connection and direction, when the other side is slow.
const HIGH_WATER_MARK: i32 = 1000;

fn apply(options: &Options, socket: &zmq::Socket) -> zmq::Result<()> {
    socket.set_maxmsgsize(i64::try_from(options.max_frame).unwrap_or(i64::MAX))?;
    socket.set_linger(millis(options.linger))?;
    socket.set_sndhwm(HIGH_WATER_MARK)?;
    socket.set_rcvhwm(HIGH_WATER_MARK)?;
    if let Some((interval, timeout)) = options.heartbeat {
        socket.set_heartbeat_ivl(millis(interval))?;
        socket.set_heartbeat_timeout(millis(timeout))?;
    }
    Ok(())
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// Where a ROUTER received a message from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A connection, by the number that libzmq gave it; numbers come again only after 2^32 connections.
    Connection(u32),
    /// A peer that chose its routing id itself.
    Foreign(Bytes),
}

/// A routing id as libzmq makes it: a zero and a number.
fn routing_id(connection: u32) -> [u8; 5] {
    let [a, b, c, d] = connection.to_be_bytes();
    [0, a, b, c, d]
}

/// A socket with many connections, each named by a number.
pub(super) struct Router {
    inner: zmq::Socket,
    frame: zmq::Message,
}

impl Router {
    /// Opens a socket that listens nowhere yet. Sends to connections that are gone are reported, not swallowed.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(super) fn new(context: &zmq::Context, options: &Options) -> zmq::Result<Self> {
        let inner = context.socket(zmq::ROUTER)?;
        apply(options, &inner)?;
        inner.set_router_mandatory(true)?;
        Ok(Self {
            inner,
            frame: zmq::Message::new(),
        })
    }

    /// Listens at `endpoint` and returns it as peers connect to it, with the port that the system chose.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn bind(&mut self, endpoint: &Endpoint) -> io::Result<String> {
        self.inner.set_ipv6(endpoint.is_ipv6())?;
        frames::bind(&mut self.inner, &endpoint.to_string())?;
        match self.inner.get_last_endpoint()? {
            Ok(bound) => Ok(bound),
            Err(_) => Ok(endpoint.to_string()),
        }
    }

    /// Encrypts and authenticates the connections to endpoints that are bound from now on.
    ///
    /// # Errors
    /// When libzmq has no CURVE.
    pub(super) fn encrypt(&mut self, server: &CurveServer, domain: Domain) -> zmq::Result<()> {
        curve::serve(&mut self.inner, server, domain)
    }

    /// Receives a message, if there is one: its frames after the routing id are appended to `frames`.
    pub(super) fn receive(&mut self, frames: &mut Vec<Bytes>) -> Option<Origin> {
        frames::receive(&self.inner, &mut self.frame)?;
        let origin = match *self.frame {
            [0, a, b, c, d] => Origin::Connection(u32::from_be_bytes([a, b, c, d])),
            ref id => Origin::Foreign(Bytes::copy_from_slice(id)),
        };
        if self.frame.get_more() && frames::receive(&self.inner, &mut self.frame).is_some() {
            frames::receive_rest(&self.inner, &mut self.frame, frames);
        }
        Some(origin)
    }

    /// Sends a message over a connection.
    pub(super) fn send(&mut self, connection: u32, parcel: &mut Parcel) -> Sending {
        frames::send(&mut self.inner, Some(&routing_id(connection)), parcel)
    }

    /// Sends a message to a peer that chose its routing id itself.
    pub(super) fn send_to_foreign(&mut self, id: &[u8], parcel: &mut Parcel) -> Sending {
        frames::send(&mut self.inner, Some(id), parcel)
    }

    /// The descriptor to poll for input, under the conditions that [`poll`](super::poll) names.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        frames::fd(&self.inner)
    }

    /// A socket that tells of each connection that closes or is refused. `name` is unique in the context.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(super) fn monitor(&mut self, context: &zmq::Context, name: &str) -> zmq::Result<Monitor> {
        watch(&self.inner, context, name, &WATCHED)
    }
}

/// A closed socket lives on in libzmq for a while, and must not tell a monitor that has gone.
impl Drop for Router {
    fn drop(&mut self) {
        frames::stop_monitor(&mut self.inner);
    }
}

/// What a listening socket's monitor tells of.
const WATCHED: [zmq::SocketEvent; 4] = [
    zmq::SocketEvent::DISCONNECTED,
    zmq::SocketEvent::HANDSHAKE_FAILED_NO_DETAIL,
    zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL,
    zmq::SocketEvent::HANDSHAKE_FAILED_AUTH,
];

/// A socket with one connection.
pub(super) struct Dealer {
    inner: zmq::Socket,
    frame: zmq::Message,
}

impl Dealer {
    /// Opens a socket that connects to `endpoint`, and keeps trying to if nobody listens there yet. To begin afresh with a master
    /// that may be another one, drop it and open a new one: messages meant for the old one would reach the new one otherwise.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(super) fn connect(
        context: &zmq::Context,
        endpoint: &Endpoint,
        options: &Options,
        curve: Option<&CurveClient>,
    ) -> zmq::Result<Self> {
        let inner = context.socket(zmq::DEALER)?;
        apply(options, &inner)?;
        if let Some(client) = curve {
            curve::join(&inner, client)?;
        }
        inner.set_ipv6(endpoint.is_ipv6())?;
        inner.connect(&endpoint.to_string())?;
        Ok(Self {
            inner,
            frame: zmq::Message::new(),
        })
    }

    /// Receives a message, if there is one: its frames are appended to `frames`.
    pub(super) fn receive(&mut self, frames: &mut Vec<Bytes>) -> bool {
        let received = frames::receive(&self.inner, &mut self.frame).is_some();
        if received {
            frames::receive_rest(&self.inner, &mut self.frame, frames);
        }
        received
    }

    /// Sends a message. While there is no connection yet, libzmq keeps up to 1,000 messages for it; beyond that it is
    /// [`Sending::WouldBlock`].
    pub(super) fn send(&mut self, parcel: &mut Parcel) -> Sending {
        frames::send(&mut self.inner, None, parcel)
    }

    /// Changes how long the socket, once closed, goes on delivering what was sent.
    pub(super) fn set_linger(&mut self, linger: Duration) {
        // It fails only for a socket that is none, or a value below zero.
        let _ = self.inner.set_linger(millis(linger));
    }

    /// A socket that tells when the connection broke or could not be made. `name` is unique in the context.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(super) fn monitor(&mut self, context: &zmq::Context, name: &str) -> zmq::Result<Monitor> {
        let events = [
            zmq::SocketEvent::DISCONNECTED,
            zmq::SocketEvent::CONNECT_RETRIED,
        ];
        watch(&self.inner, context, name, &events)
    }

    /// The descriptor to poll for input, under the conditions that [`poll`](super::poll) names.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        frames::fd(&self.inner)
    }
}

/// As for [`Router`].
impl Drop for Dealer {
    fn drop(&mut self) {
        frames::stop_monitor(&mut self.inner);
    }
}
