use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use super::*;
use crate::driver::clock::Clock;
use crate::driver::endpoint::{Endpoint, Reach};
use crate::driver::frames::{Parcel, Sending};
use crate::driver::poll::{Poll, wait};
use crate::wire::limits::MAX_FRAMES;
use crate::wire::{FromWorker, JobKey, ResultCode, ToWorker};

const OPTIONS: Options = Options {
    max_frame: 64 * 1024 * 1024,
    linger: Duration::ZERO,
    heartbeat: None,
};

/// How a test's peers are connected.
#[derive(Debug, Clone, Copy)]
enum Scheme {
    Ipc,
    Tcp,
}

const SCHEMES: [Scheme; 2] = [Scheme::Ipc, Scheme::Tcp];

struct Pair {
    router: Router,
    dealer: Dealer,
    /// What the router has received.
    received: VecDeque<(Origin, Vec<Bytes>)>,
    /// What the dealer has received.
    taken: VecDeque<Vec<Bytes>>,
    clock: Clock,
    context: zmq::Context,
    endpoint: Endpoint,
    _directory: tempfile::TempDir,
}

impl Pair {
    fn new(scheme: Scheme) -> Self {
        Self::with(scheme, OPTIONS)
    }

    /// The dealer has options of its own.
    fn with(scheme: Scheme, options: Options) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let context = zmq::Context::new();
        let mut router = Router::new(&context, &OPTIONS, "test");
        let any = match scheme {
            Scheme::Ipc => format!("ipc://{}/s", directory.path().display()),
            Scheme::Tcp => "tcp://127.0.0.1:*".to_owned(),
        };
        let any = Endpoint::to_bind(&any, Reach::Loopback).expect("an endpoint");
        let bound = router.bind(&any).expect("it is free");
        let endpoint = Endpoint::to_connect(&bound, Reach::Loopback).expect("it was bound");
        let dealer = Dealer::connect(&context, &endpoint, &options, None).expect("a socket");
        Self {
            router,
            dealer,
            received: VecDeque::new(),
            taken: VecDeque::new(),
            clock: Clock::new(),
            context,
            endpoint,
            _directory: directory,
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

    /// Receives at the router.
    fn receive(&mut self) -> (Origin, Vec<Bytes>) {
        loop {
            if let Some(message) = self.received.pop_front() {
                return message;
            }
            self.pause();
        }
    }

    fn connection(&mut self) -> u64 {
        match self.receive().0 {
            Origin::Connection(connection) => connection,
            origin => panic!("the peer has no routing id of its own: {origin:?}"),
        }
    }

    /// Receives at the dealer.
    fn take(&mut self) -> Vec<Bytes> {
        loop {
            if let Some(frames) = self.taken.pop_front() {
                return frames;
            }
            self.pause();
        }
    }

    /// Does what there is to do at both sockets, handshakes among it, and waits for more if they received nothing.
    fn pause(&mut self) {
        let now = self.clock.now();
        let mut frames = Vec::new();
        let before = self.received.len() + self.taken.len();
        while let Some(origin) = self.router.receive(&mut frames) {
            self.received.push_back((origin, mem::take(&mut frames)));
        }
        self.router.flush(now);
        while self.dealer.receive(&mut frames) {
            self.taken.push_back(mem::take(&mut frames));
        }
        self.dealer.flush(now);
        let is_idle = self.router.is_idle() && self.dealer.is_idle();
        if !is_idle || self.received.len() + self.taken.len() > before {
            return;
        }
        let mut poll = Poll::default();
        let router = self.router.watch(&mut poll);
        let dealer = self.dealer.watch(&mut poll);
        let deadlines = [self.router.next_deadline(), self.dealer.next_deadline()];
        let due = deadlines.into_iter().flatten().min();
        let limit = due.map_or(Duration::from_secs(10), |due| due - now);
        wait(&mut poll, Some(limit)).expect("poll works");
        self.router.note(&poll, router);
        self.dealer.note(&poll, dealer);
    }
}

fn job(body: Bytes) -> ToWorker {
    ToWorker::Job {
        session: 1,
        key: JobKey { job: 2, attempt: 3 },
        service: 0,
        budget_ms: 5,
        body,
        metadata: Some(Bytes::from_static(b"traceparent")),
    }
}

#[test]
fn messages_of_all_sizes_arrive_whole_both_ways() {
    for scheme in SCHEMES {
        let mut pair = Pair::new(scheme);
        let lengths = [
            0,
            1,
            5,
            33,
            255,
            256,
            1024,
            1025,
            8192,
            8193,
            65535,
            65536,
            65537,
            1 << 20,
            10 << 20,
        ];
        for len in lengths {
            let body = Bytes::from((0..len).map(|i| i as u8).collect::<Vec<_>>());
            let sent = pair.result(body.clone());
            let (origin, mut frames) = pair.receive();
            let received = FromWorker::decode(&mut frames, usize::MAX).expect("a message");
            assert_eq!(received, sent);
            let Origin::Connection(connection) = origin else {
                panic!("the peer has no routing id of its own: {origin:?}")
            };
            let job = job(body);
            let mut parcel = Parcel::default();
            parcel.for_worker(job.clone());
            assert_eq!(pair.router.send(connection, &mut parcel), Sending::Sent);
            assert_eq!(ToWorker::decode(&mut pair.take(), usize::MAX), Ok(job));
        }
    }
}

#[test]
fn many_messages_arrive_in_their_order() {
    for scheme in SCHEMES {
        let mut pair = Pair::new(scheme);
        for round in 0..50 {
            let lengths: Vec<_> = (0..20).map(|i| (i * 2741 + round * 977) % 30_000).collect();
            for &len in &lengths {
                pair.result(vec![len as u8; len].into());
            }
            for len in lengths {
                let (_, mut frames) = pair.receive();
                let Ok(FromWorker::Result { body, .. }) =
                    FromWorker::decode(&mut frames, usize::MAX)
                else {
                    panic!("only results are sent")
                };
                assert_eq!(body, vec![len as u8; len]);
            }
        }
    }
}

#[test]
fn a_connection_that_never_was_is_unreachable() {
    for scheme in SCHEMES {
        let mut pair = Pair::new(scheme);
        let mut parcel = Parcel::default();
        for connection in [12345, (1 << 32) + 12345] {
            parcel.for_worker(ToWorker::Heartbeat { session: 1 });
            let sending = pair.router.send(connection, &mut parcel);
            assert_eq!(sending, Sending::Unreachable);
        }
    }
}

#[test]
fn a_connection_that_has_closed_is_unreachable_and_told_once() {
    for scheme in SCHEMES {
        let mut pair = Pair::new(scheme);
        pair.result(Bytes::new());
        let connection = pair.connection();
        let other = pair.endpoint.clone();
        pair.dealer = Dealer::connect(&pair.context, &other, &OPTIONS, None).expect("a socket");
        while !pair.router.news().disconnected {
            pair.pause();
        }
        assert!(pair.received.is_empty());
        let mut parcel = Parcel::default();
        loop {
            parcel.for_worker(ToWorker::Heartbeat { session: 1 });
            match (scheme, pair.router.send(connection, &mut parcel)) {
                (_, Sending::Unreachable) => break,
                // libzmq tells of the end before it forgets the connection.
                (Scheme::Tcp, Sending::Sent) => std::thread::sleep(Duration::from_millis(1)),
                (_, sending) => panic!("the connection is gone: {sending:?}"),
            }
        }
        assert!(!pair.router.news().disconnected);
    }
}

#[test]
fn what_was_sent_before_a_connection_closed_is_received() {
    let options = Options {
        linger: Duration::from_secs(10),
        ..OPTIONS
    };
    for scheme in SCHEMES {
        let mut pair = Pair::with(scheme, options);
        let sent: Vec<_> = (0..500)
            .map(|len| pair.result(vec![7; len].into()))
            .collect();
        let other = pair.endpoint.clone();
        let next = Dealer::connect(&pair.context, &other, &OPTIONS, None).expect("a socket");
        // The peer's handshake needs somebody to answer it.
        let old = mem::replace(&mut pair.dealer, next);
        let closing = std::thread::spawn(move || drop(old));
        for message in sent {
            let (_, mut frames) = pair.receive();
            assert_eq!(FromWorker::decode(&mut frames, usize::MAX), Ok(message));
        }
        closing.join().expect("it closes");
    }
}

#[test]
fn a_peer_that_does_not_read_leaves_the_message_unchanged() {
    for scheme in SCHEMES {
        let mut pair = Pair::new(scheme);
        pair.result(Bytes::new());
        let connection = pair.connection();
        let job = job(vec![7; 1 << 16].into());
        let mut parcel = Parcel::default();
        let sent = (0..100_000).find(|_| {
            parcel.for_worker(job.clone());
            pair.router.send(connection, &mut parcel) == Sending::WouldBlock
        });
        let mut is_pending = true;
        for _ in 0..=sent.expect("nobody reads") {
            assert_eq!(
                ToWorker::decode(&mut pair.take(), usize::MAX),
                Ok(job.clone())
            );
            // The room that reading makes shows up at the sender some time later.
            is_pending = is_pending && pair.router.send(connection, &mut parcel) != Sending::Sent;
        }
        assert!(!is_pending, "all were read, and there was no room");
    }
}

#[test]
fn a_dealer_nobody_answers_keeps_a_bounded_number_of_messages() {
    for scheme in SCHEMES {
        let mut pair = Pair::new(scheme);
        let mut parcel = Parcel::default();
        let sent = (0..1_000_000).find(|_| {
            parcel.for_master(FromWorker::Heartbeat { session: 1 });
            pair.dealer.send(&mut parcel) == Sending::WouldBlock
        });
        for _ in 0..sent.expect("nobody reads") {
            let (_, mut frames) = pair.receive();
            let heartbeat = FromWorker::Heartbeat { session: 1 };
            assert_eq!(FromWorker::decode(&mut frames, 0), Ok(heartbeat));
        }
    }
}

#[test]
fn a_dealer_connects_once_somebody_listens_and_again_after_that() {
    let mut pair = Pair::new(Scheme::Ipc);
    pair.result(Bytes::new());
    pair.connection();
    assert_eq!(pair.dealer.news(), Broken::default());
    pair.router = Router::new(&pair.context, &OPTIONS, "other");
    while !pair.dealer.news().has_ended {
        pair.pause();
    }
    while !pair.dealer.news().was_refused {
        pair.pause();
    }
    let sent = pair.result(Bytes::new());
    pair.router.bind(&pair.endpoint).expect("it is free again");
    let (_, mut frames) = pair.receive();
    assert_eq!(FromWorker::decode(&mut frames, 0), Ok(sent));
}

#[test]
fn connections_that_break_when_their_sockets_are_closed_block_no_other() {
    let context = zmq::Context::new();
    let options = Options {
        linger: Duration::from_secs(1),
        ..OPTIONS
    };
    for round in 0..8 {
        let mut pair = Pair::new(Scheme::Tcp);
        let endpoint = pair.endpoint.clone();
        let mut dealer = Dealer::connect(&context, &endpoint, &options, None).expect("a socket");
        (dealer.monitor(&context, &round.to_string())).expect("a socket");
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
        drop(dealer);
        drop(pair);
        // There is one thread of libzmq's for all connections of a context.
        let mut next = Pair::new(Scheme::Tcp);
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

/// What another implementation of ZeroMQ makes of us, and we of it.
mod foreign {
    use super::*;

    fn peer(pair: &Pair, kind: zmq::SocketType) -> zmq::Socket {
        let peer = pair.context.socket(kind).expect("a socket");
        peer.set_linger(0).expect("an option");
        peer.set_rcvtimeo(10_000).expect("an option");
        peer
    }

    #[test]
    fn superfluous_frames_are_noticed_without_being_kept() {
        for scheme in SCHEMES {
            let mut pair = Pair::new(scheme);
            let peer = peer(&pair, zmq::DEALER);
            (peer.connect(&pair.endpoint.to_string())).expect("a listener");
            (peer.send_multipart(vec!["frame"; 1000], 0)).expect("there is room");
            let (_, frames) = pair.receive();
            assert_eq!(frames.len(), MAX_FRAMES + 1);
            peer.send("one", 0).expect("there is room");
            let (_, frames) = pair.receive();
            assert_eq!(frames, ["one"], "the next message begins where it should");
        }
    }

    #[test]
    fn a_peer_that_chose_its_routing_id_is_told_apart_and_answered() {
        for scheme in SCHEMES {
            let mut pair = Pair::new(scheme);
            let peer = peer(&pair, zmq::DEALER);
            peer.set_identity(b"mine!!").expect("a routing id");
            (peer.connect(&pair.endpoint.to_string())).expect("a listener");
            peer.send("hello", 0).expect("there is room");
            let (origin, frames) = pair.receive();
            assert_eq!(frames, ["hello"]);
            let Origin::Foreign(foreign) = origin else {
                panic!("it chose one: {origin:?}")
            };
            let mut parcel = Parcel::default();
            parcel.for_worker(ToWorker::Heartbeat { session: 1 });
            let sending = pair.router.send_to_foreign(&foreign, &mut parcel);
            assert_eq!(sending, Sending::Sent);
            pair.router.flush(pair.clock.now());
            let answer = peer.recv_bytes(0).expect("an answer");
            let mut frames = [Bytes::from(answer)];
            let heartbeat = ToWorker::Heartbeat { session: 1 };
            assert_eq!(ToWorker::decode(&mut frames, 0), Ok(heartbeat));
        }
    }

    #[test]
    fn a_dealer_of_libzmq_is_answered_whatever_the_size() {
        let mut pair = Pair::new(Scheme::Ipc);
        let peer = peer(&pair, zmq::DEALER);
        // Its PINGs go unnoticed, or it would end the connection.
        peer.set_heartbeat_ivl(10).expect("an option");
        peer.set_heartbeat_timeout(2_000).expect("an option");
        (peer.connect(&pair.endpoint.to_string())).expect("a listener");
        for len in [0, 1, 254, 255, 256, 8192, 1 << 20] {
            let text = vec![b'x'; len];
            (peer.send_multipart([&text, &text], 0)).expect("there is room");
            let (origin, frames) = pair.receive();
            assert_eq!(frames, [&text[..], &text[..]]);
            let Origin::Connection(connection) = origin else {
                panic!("it has no routing id of its own: {origin:?}")
            };
            let job = job(text.into());
            let mut parcel = Parcel::default();
            parcel.for_worker(job.clone());
            assert_eq!(pair.router.send(connection, &mut parcel), Sending::Sent);
            let frames = loop {
                // A large one goes out as the peer reads.
                pair.router.flush(pair.clock.now());
                match peer.recv_multipart(zmq::DONTWAIT) {
                    Ok(frames) => break frames,
                    Err(_) => std::thread::sleep(Duration::from_millis(1)),
                }
                pair.router.look_again();
                assert_eq!(pair.router.receive(&mut Vec::new()), None);
            };
            let mut frames: Vec<_> = frames.into_iter().map(Bytes::from).collect();
            assert_eq!(ToWorker::decode(&mut frames, usize::MAX), Ok(job));
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    #[test]
    fn a_router_of_libzmq_is_understood_whatever_the_size() {
        let mut pair = Pair::new(Scheme::Ipc);
        let directory = tempfile::tempdir().expect("a directory");
        let endpoint = format!("ipc://{}/libzmq", directory.path().display());
        let peer = peer(&pair, zmq::ROUTER);
        peer.set_heartbeat_ivl(10).expect("an option");
        peer.set_heartbeat_timeout(2_000).expect("an option");
        peer.bind(&endpoint).expect("it is free");
        let endpoint = Endpoint::to_connect(&endpoint, Reach::Loopback).expect("it was bound");
        pair.dealer = Dealer::connect(&pair.context, &endpoint, &OPTIONS, None).expect("a socket");
        for len in [0, 1, 254, 255, 256, 8192, 1 << 20] {
            let body = Bytes::from(vec![b'x'; len]);
            let sent = pair.result(body.clone());
            let frames = loop {
                // The first one waits for the handshake.
                match peer.recv_multipart(zmq::DONTWAIT) {
                    Ok(frames) => break frames,
                    Err(_) => {
                        let now = pair.clock.now();
                        assert!(!pair.dealer.receive(&mut Vec::new()));
                        pair.dealer.flush(now);
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            };
            let (id, frames) = frames.split_first().expect("a routing id");
            let mut received: Vec<_> = frames.iter().cloned().map(Bytes::from).collect();
            assert_eq!(FromWorker::decode(&mut received, usize::MAX), Ok(sent));
            let answer = [id, &body.to_vec(), &body.to_vec()];
            peer.send_multipart(answer, 0).expect("there is room");
            assert_eq!(pair.take(), [&body, &body]);
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}
