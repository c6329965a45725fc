//! The two kinds of sockets: the ROUTER that a master listens with, the DEALER that connects to one.
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
use crate::security::{CurveClient, CurveServer};

/// The messages that libzmq keeps for each connection and direction, when the other side is slow.
const HIGH_WATER_MARK: i32 = 1000;

/// Settings that both ends choose for their sockets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Frames larger than this make libzmq drop the connection. A backstop: choose it well above what the codec refuses.
    pub(crate) max_frame: u64,
    /// How long a closed socket goes on delivering what was sent.
    pub(crate) linger: Duration,
    /// ZMTP heartbeats: how often to ping an idle peer, and how long its silence may last. Only the master sets them, and no
    /// time to live, with which a master that was stopped for a while would find its workers gone.
    pub(crate) heartbeat: Option<(Duration, Duration)>,
}

impl Options {
    fn apply(&self, socket: &zmq::Socket) -> zmq::Result<()> {
        socket.set_maxmsgsize(i64::try_from(self.max_frame).unwrap_or(i64::MAX))?;
        socket.set_linger(millis(self.linger))?;
        socket.set_sndhwm(HIGH_WATER_MARK)?;
        socket.set_rcvhwm(HIGH_WATER_MARK)?;
        if let Some((interval, timeout)) = self.heartbeat {
            socket.set_heartbeat_ivl(millis(interval))?;
            socket.set_heartbeat_timeout(millis(timeout))?;
        }
        Ok(())
    }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// Where a ROUTER received a message from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A connection, by the number that libzmq gave it; numbers come again only after 2^32 connections.
    Connection(u32),
    /// A peer that chose its routing id itself, which the protocol forbids: it could take another one's mail.
    Foreign(Bytes),
}

/// A routing id as libzmq makes it: a zero and a number.
fn routing_id(connection: u32) -> [u8; 5] {
    let [a, b, c, d] = connection.to_be_bytes();
    [0, a, b, c, d]
}

/// A socket with many connections, each named by a number.
pub(crate) struct Router {
    inner: zmq::Socket,
    frame: zmq::Message,
}

impl Router {
    /// Opens a socket that listens nowhere yet. Sends to connections that are gone are reported, not swallowed.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(crate) fn new(context: &zmq::Context, options: &Options) -> zmq::Result<Self> {
        let inner = context.socket(zmq::ROUTER)?;
        options.apply(&inner)?;
        inner.set_router_mandatory(true)?;
        Ok(Self {
            inner,
            frame: zmq::Message::new(),
        })
    }

    /// Listens at `endpoint` and returns it as peers connect to it, with the port that the system chose. The caller holds the
    /// [`Claim`](super::claim::Claim) of an ipc path.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn bind(&mut self, endpoint: &Endpoint) -> io::Result<String> {
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
    pub(crate) fn encrypt(&mut self, server: &CurveServer, domain: Domain) -> zmq::Result<()> {
        curve::serve(&mut self.inner, server, domain)
    }

    /// Receives a message, if there is one: its frames after the routing id are appended to `frames`.
    pub(crate) fn receive(&mut self, frames: &mut Vec<Bytes>) -> Option<Origin> {
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
    pub(crate) fn send(&mut self, connection: u32, parcel: &mut Parcel) -> Sending {
        frames::send(&mut self.inner, Some(&routing_id(connection)), parcel)
    }

    /// Sends a message to a peer that chose its routing id itself.
    pub(crate) fn send_to_foreign(&mut self, id: &[u8], parcel: &mut Parcel) -> Sending {
        frames::send(&mut self.inner, Some(id), parcel)
    }

    /// The descriptor to poll for input, under the conditions that [`poll`](super::poll) names.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
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
pub(crate) struct Dealer {
    inner: zmq::Socket,
    frame: zmq::Message,
}

impl Dealer {
    /// Opens a socket that connects to `endpoint`, and keeps trying to if nobody listens there yet. To begin afresh with a master
    /// that may be another one, drop it and open a new one: messages meant for the old one would reach the new one otherwise.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(crate) fn connect(
        context: &zmq::Context,
        endpoint: &Endpoint,
        options: &Options,
        curve: Option<&CurveClient>,
    ) -> zmq::Result<Self> {
        let inner = context.socket(zmq::DEALER)?;
        options.apply(&inner)?;
        // On ipc the file system decides.
        if let Some(client) = curve.filter(|_| endpoint.directory().is_none()) {
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
    pub(crate) fn receive(&mut self, frames: &mut Vec<Bytes>) -> bool {
        let received = frames::receive(&self.inner, &mut self.frame).is_some();
        if received {
            frames::receive_rest(&self.inner, &mut self.frame, frames);
        }
        received
    }

    /// Sends a message. While there is no connection yet, libzmq keeps up to 1,000 messages for it; beyond that it is
    /// [`Sending::WouldBlock`].
    pub(crate) fn send(&mut self, parcel: &mut Parcel) -> Sending {
        frames::send(&mut self.inner, None, parcel)
    }

    /// Changes how long the socket, once closed, goes on delivering what was sent.
    pub(crate) fn set_linger(&mut self, linger: Duration) {
        // It fails only for a socket that is none, or a value below zero.
        let _ = self.inner.set_linger(millis(linger));
    }

    /// A socket that tells when the connection broke or could not be made. `name` is unique in the context.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(crate) fn monitor(&mut self, context: &zmq::Context, name: &str) -> zmq::Result<Monitor> {
        let events = [
            zmq::SocketEvent::DISCONNECTED,
            zmq::SocketEvent::CONNECT_RETRIED,
        ];
        watch(&self.inner, context, name, &events)
    }

    /// The same for a connection that broke alone.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(super) fn monitor_end(
        &mut self,
        context: &zmq::Context,
        name: &str,
    ) -> zmq::Result<Monitor> {
        watch(
            &self.inner,
            context,
            name,
            &[zmq::SocketEvent::DISCONNECTED],
        )
    }

    /// The descriptor to poll for input, under the conditions that [`poll`](super::poll) names.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        frames::fd(&self.inner)
    }
}

/// As for [`Router`].
impl Drop for Dealer {
    fn drop(&mut self) {
        frames::stop_monitor(&mut self.inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::endpoint::Reach;
    use crate::driver::poll::{Poll, wait};
    use crate::wire::{FromWorker, JobKey, ResultCode, ToWorker};

    const OPTIONS: Options = Options {
        max_frame: 64 * 1024 * 1024,
        linger: Duration::ZERO,
        heartbeat: None,
    };

    struct Pair {
        router: Router,
        dealer: Dealer,
        context: zmq::Context,
        endpoint: Endpoint,
    }

    impl Pair {
        fn new() -> Self {
            let context = zmq::Context::new();
            let mut router = Router::new(&context, &OPTIONS).expect("a socket");
            let any = Endpoint::to_bind("tcp://127.0.0.1:*", Reach::Loopback).expect("an endpoint");
            let bound = router.bind(&any).expect("a free port");
            let endpoint = Endpoint::to_connect(&bound, Reach::Loopback).expect("it was bound");
            let dealer = Dealer::connect(&context, &endpoint, &OPTIONS, None).expect("a socket");
            Self {
                router,
                dealer,
                context,
                endpoint,
            }
        }

        fn result(&mut self, body: Bytes) -> FromWorker {
            let message = FromWorker::Result {
                session: 1,
                key: JobKey { job: 2, attempt: 3 },
                code: ResultCode::Ok,
                elapsed_us: 4,
                body,
            };
            let mut parcel = Parcel::default();
            parcel.for_master(message.clone());
            assert_eq!(self.dealer.send(&mut parcel), Sending::Sent);
            message
        }

        fn receive(&mut self) -> (Origin, Vec<Bytes>) {
            let mut frames = Vec::new();
            loop {
                if let Some(origin) = self.router.receive(&mut frames) {
                    return (origin, frames);
                }
                pause(self.router.fd());
            }
        }
    }

    fn pause(fd: BorrowedFd<'_>) {
        let mut poll = Poll::default();
        let place = poll.add(fd);
        wait(&mut poll, Some(Duration::from_secs(10))).expect("poll works");
        assert!(poll.is_ready(place), "nothing came");
    }

    #[test]
    fn messages_of_all_sizes_arrive_whole_both_ways() {
        let mut pair = Pair::new();
        for len in [0, 1, 5, 33, 1024, 1025, 8192, 1 << 20] {
            let body = Bytes::from((0..len).map(|i| i as u8).collect::<Vec<_>>());
            let sent = pair.result(body.clone());
            let (origin, mut frames) = pair.receive();
            let received = FromWorker::decode(&mut frames, usize::MAX).expect("a message");
            assert_eq!(received, sent);

            let Origin::Connection(connection) = origin else {
                panic!("libzmq made {origin:?}")
            };
            let job = ToWorker::Job {
                session: 1,
                key: JobKey { job: 2, attempt: 3 },
                service: 0,
                budget_ms: 5,
                body,
                metadata: Some(Bytes::from_static(b"traceparent")),
            };
            let mut parcel = Parcel::default();
            parcel.for_worker(job.clone());
            assert_eq!(pair.router.send(connection, &mut parcel), Sending::Sent);
            let mut frames = Vec::new();
            while !pair.dealer.receive(&mut frames) {
                pause(pair.dealer.fd());
            }
            assert_eq!(ToWorker::decode(&mut frames, usize::MAX), Ok(job));
        }
    }

    #[test]
    fn a_connection_that_never_was_is_unreachable() {
        let mut pair = Pair::new();
        let mut parcel = Parcel::default();
        parcel.for_worker(ToWorker::Heartbeat { session: 1 });
        assert_eq!(pair.router.send(12345, &mut parcel), Sending::Unreachable);
    }

    #[test]
    fn a_full_pipe_leaves_the_message_unchanged() {
        let mut pair = Pair::new();
        pair.result(Bytes::new());
        let (Origin::Connection(connection), _) = pair.receive() else {
            panic!("a routing id of libzmq's")
        };
        let job = ToWorker::Job {
            session: 1,
            key: JobKey { job: 2, attempt: 3 },
            service: 0,
            budget_ms: 5,
            body: Bytes::from(vec![7; 1 << 16]),
            metadata: None,
        };
        let mut parcel = Parcel::default();
        let sent = (0..100_000).find(|_| {
            parcel.for_worker(job.clone());
            pair.router.send(connection, &mut parcel) == Sending::WouldBlock
        });
        let mut is_pending = true;
        let mut frames = Vec::new();
        for _ in 0..=sent.expect("nobody reads") {
            frames.clear();
            while !pair.dealer.receive(&mut frames) {
                pause(pair.dealer.fd());
            }
            assert_eq!(ToWorker::decode(&mut frames, usize::MAX), Ok(job.clone()));
            // The room that reading makes shows up at the sender some time later.
            is_pending = is_pending && pair.router.send(connection, &mut parcel) != Sending::Sent;
        }
        assert!(!is_pending, "all were read, and there was no room");
    }

    #[test]
    fn superfluous_frames_are_noticed_without_being_kept() {
        let mut pair = Pair::new();
        (pair.dealer.inner.send_multipart(vec!["frame"; 1000], 0)).expect("there is room");
        let (_, frames) = pair.receive();
        assert_eq!(frames.len(), crate::wire::limits::MAX_FRAMES + 1);
        pair.result(Bytes::new());
        let (_, frames) = pair.receive();
        assert_eq!(frames.len(), 1, "the next message begins where it should");
    }

    #[test]
    fn a_peer_that_chose_its_routing_id_is_told_apart() {
        let mut pair = Pair::new();
        let peer = pair.context.socket(zmq::DEALER).expect("a socket");
        peer.set_identity(b"mine!!").expect("a routing id");
        peer.connect(&pair.endpoint.to_string())
            .expect("a listener");
        peer.send("hello", 0).expect("there is room");
        let (origin, frames) = pair.receive();
        assert_eq!(origin, Origin::Foreign(Bytes::from_static(b"mine!!")));
        assert_eq!(frames, ["hello"]);
    }

    #[test]
    fn connections_that_break_when_their_sockets_are_closed_block_no_other() {
        let context = zmq::Context::new();
        let options = Options {
            linger: Duration::from_secs(1),
            ..OPTIONS
        };
        for round in 0..8 {
            let mut pair = Pair::new();
            let mut dealer =
                Dealer::connect(&context, &pair.endpoint, &options, None).expect("a socket");
            let monitor = (dealer.monitor(&context, &round.to_string())).expect("a socket");
            let mut parcel = Parcel::default();
            let heartbeat = FromWorker::Heartbeat { session: 1 };
            loop {
                parcel.for_master(heartbeat.clone());
                if dealer.send(&mut parcel) == Sending::WouldBlock {
                    break;
                }
            }
            pair.receive();
            // It has something left to send, so libzmq keeps it for a second.
            drop((dealer, monitor));
            drop(pair);
            // There is one thread of libzmq's for all connections of a context.
            let mut next = Pair::new();
            let endpoint = &next.endpoint;
            let mut dealer = Dealer::connect(&context, endpoint, &OPTIONS, None).expect("a socket");
            for _ in 0..50 {
                parcel.for_master(heartbeat.clone());
                assert_eq!(dealer.send(&mut parcel), Sending::Sent);
                next.receive();
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    #[test]
    fn the_monitor_tells_of_a_closed_connection() {
        let mut pair = Pair::new();
        let mut monitor = (pair.router.monitor(&pair.context, "monitor")).expect("a socket");
        pair.result(Bytes::new());
        pair.receive();
        drop(pair.dealer);
        while !monitor.take().disconnected {
            pause(monitor.fd());
        }
        assert!(!monitor.take().disconnected);
    }
}
