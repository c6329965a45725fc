//! A ROUTER among peers that behave as no library would.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::driver::frames::{Parcel, Sending};
use crate::driver::poll::{Poll, wait};
use crate::driver::socket::Options;
use crate::time::Time;
use crate::wire::ToWorker;

const MAX_FRAME: u64 = 100_000;
const INTERVAL: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(3);

struct Place {
    router: Router,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("s");
        let mut router = Router::new(&Options {
            max_frame: MAX_FRAME,
            linger: Duration::ZERO,
            heartbeat: Some((INTERVAL, TIMEOUT)),
        })
        .expect("a socket");
        router.bind(&path).expect("it is free");
        Self {
            router,
            path,
            _directory: directory,
        }
    }

    /// A peer that has sent nothing yet.
    fn stranger(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).expect("a listener");
        (stream.set_read_timeout(Some(Duration::from_secs(10)))).expect("an option");
        stream
    }

    /// A peer that has done its part of the handshake.
    fn peer(&mut self) -> UnixStream {
        let mut peer = self.stranger();
        peer.write_all(&greeting::ours()).expect("it is read");
        let mut ready = Vec::new();
        command::write_ready(&mut ready, Role::Dealer);
        peer.write_all(&ready).expect("it is read");
        self.look();
        let mut theirs = vec![0; greeting::LEN + ready.len()];
        peer.read_exact(&mut theirs).expect("its part of it");
        peer
    }

    /// Receives what is there, as connections and frames.
    fn look(&mut self) -> Vec<(u64, Vec<Bytes>)> {
        let mut received = Vec::new();
        let mut frames = Vec::new();
        while let Some((number, _)) = self.router.receive(&mut frames) {
            received.push((number, std::mem::take(&mut frames)));
        }
        self.router.flush();
        received
    }

    fn wait(&mut self) {
        let mut poll = Poll::default();
        let place = poll.add(self.router.fd());
        wait(&mut poll, Some(Duration::from_secs(10))).expect("poll works");
        assert!(poll.is_ready(place), "nothing came");
    }

    fn receive(&mut self) -> (u64, Vec<Bytes>) {
        loop {
            if let Some(first) = self.look().into_iter().next() {
                return first;
            }
            self.wait();
        }
    }

    /// Looks until a connection has closed.
    fn closes(&mut self, peer: &mut UnixStream) {
        let mut rest = Vec::new();
        assert!(self.look().is_empty());
        // Reading to the end waits for the end. What was not read makes it a reset.
        let _ = peer.read_to_end(&mut rest);
    }
}

fn frame(bytes: &[u8], more: bool) -> Vec<u8> {
    let mut frame = Vec::new();
    frame::write_head(&mut frame, bytes.len(), more);
    frame.extend_from_slice(bytes);
    frame
}

#[test]
fn a_message_cut_anywhere_is_put_together() {
    let mut place = Place::new();
    let mut peer = place.peer();
    let frames = [vec![1; 30], vec![2; 300], vec![3; 20_000]];
    let mut bytes = Vec::new();
    for (number, part) in frames.iter().enumerate() {
        bytes.extend(frame(part, number < 2));
    }
    for cut in [
        1,
        2,
        31,
        33,
        35,
        41,
        42,
        340,
        345,
        350,
        9000,
        20_000,
        bytes.len() - 1,
    ] {
        peer.write_all(&bytes[..cut]).expect("it is read");
        assert!(place.look().is_empty());
        peer.write_all(&bytes[cut..]).expect("it is read");
        assert_eq!(place.receive().1, frames);
    }
}

#[test]
fn a_handshake_of_single_bytes_is_a_handshake() {
    let mut place = Place::new();
    let mut peer = place.stranger();
    let mut bytes = greeting::ours().to_vec();
    command::write_ready(&mut bytes, Role::Dealer);
    bytes.extend(frame(b"hello", false));
    for byte in bytes {
        assert!(place.look().is_empty());
        peer.write_all(&[byte]).expect("it is read");
    }
    assert_eq!(place.receive().1, ["hello"]);
}

#[test]
fn whoever_speaks_something_else_is_shown_the_door() {
    let mut push = greeting::ours().to_vec();
    frame::write_command(&mut push, "READY", b"\x0bSocket-Type\0\0\0\x04PUSH");
    let mut curve = greeting::ours();
    curve[12..17].copy_from_slice(b"CURVE");
    let mut early = greeting::ours().to_vec();
    early.extend(frame(b"before READY", false));
    let mut refusal = greeting::ours().to_vec();
    frame::write_command(&mut refusal, "ERROR", b"\x02no");
    let http = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    for (told, bytes) in [push, curve.to_vec(), early, refusal, http]
        .into_iter()
        .enumerate()
    {
        let mut place = Place::new();
        let mut honest = place.peer();
        let mut peer = place.stranger();
        peer.write_all(&bytes).expect("it is read");
        place.closes(&mut peer);
        let news = place.router.news();
        assert_eq!((news.strangers, news.disconnected), (1, false), "{told}");
        honest
            .write_all(&frame(b"hello", false))
            .expect("it is read");
        assert_eq!(place.receive().1, ["hello"], "{told}");
    }
}

#[test]
fn what_breaks_the_framing_ends_the_connection_and_no_other() {
    let mut ready = Vec::new();
    command::write_ready(&mut ready, Role::Dealer);
    let mut large = Vec::new();
    frame::write_head(&mut large, MAX_FRAME as usize + 1, false);
    let mut long_command = vec![6];
    long_command.extend((command::MAX_LEN + 1).to_be_bytes());
    let unknown_flags = vec![0x80, 0];
    for bytes in [
        ready,
        large,
        long_command,
        unknown_flags,
        b"\x04\x02\x09x".to_vec(),
    ] {
        let mut place = Place::new();
        let mut honest = place.peer();
        let mut peer = place.peer();
        peer.write_all(&bytes).expect("it is read");
        place.closes(&mut peer);
        let news = place.router.news();
        assert_eq!((news.strangers, news.disconnected), (0, true), "{bytes:?}");
        honest
            .write_all(&frame(b"hello", false))
            .expect("it is read");
        assert_eq!(place.receive().1, ["hello"]);
    }
}

#[test]
fn a_length_alone_costs_nothing_and_the_largest_frame_arrives() {
    let mut place = Place::new();
    let mut peer = place.peer();
    let bytes = vec![5; MAX_FRAME as usize];
    let whole = frame(&bytes, false);
    for piece in whole.chunks(30_000) {
        peer.write_all(piece).expect("it is read");
        if piece.len() == 30_000 {
            assert!(place.look().is_empty());
        }
    }
    assert_eq!(place.receive().1, [bytes]);
}

#[test]
fn unknown_commands_and_pings_are_taken_between_messages() {
    let mut place = Place::new();
    let mut peer = place.peer();
    let mut bytes = Vec::new();
    frame::write_command(&mut bytes, "SUBSCRIBE", b"all");
    frame::write_command(&mut bytes, "PING", b"\0\x01context");
    bytes.extend(frame(b"hello", false));
    peer.write_all(&bytes).expect("it is read");
    assert_eq!(place.receive().1, ["hello"]);
    let mut pong = Vec::new();
    command::write_pong(&mut pong, b"context");
    let mut answer = vec![0; pong.len()];
    peer.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer, pong);
}

#[test]
fn a_silent_peer_is_pinged_and_given_up_one_that_answers_is_kept() {
    let mut place = Place::new();
    let mut silent = place.peer();
    let mut lively = place.peer();
    let mut ping = Vec::new();
    command::write_ping(&mut ping);
    let mut now = Time::ZERO;
    // The first one sees that they were heard; the second begins to wait.
    for _ in 0..10 {
        place.router.beat(now);
        now = now + INTERVAL;
        let mut pong = Vec::new();
        command::write_pong(&mut pong, b"");
        lively.write_all(&pong).expect("it is read");
        assert!(place.look().is_empty());
    }
    let mut asked = Vec::new();
    let _ = silent.read_to_end(&mut asked);
    assert_eq!(
        asked,
        ping.repeat(3),
        "one for each interval until the time is over"
    );
    assert!(place.router.news().disconnected);
    lively
        .write_all(&frame(b"still here", false))
        .expect("it is read");
    assert_eq!(place.receive().1, ["still here"]);
}

#[test]
fn who_never_finishes_the_handshake_is_given_up() {
    let mut place = Place::new();
    let mut peer = place.stranger();
    peer.write_all(&greeting::ours()[..20]).expect("it is read");
    place.look();
    place.router.beat(Time::ZERO);
    place.router.beat(Time::ZERO + HANDSHAKE_TIMEOUT);
    place.closes(&mut peer);
    assert!(!place.router.news().disconnected, "it never was a peer");
}

#[test]
fn a_peer_that_only_pings_and_never_reads_costs_bounded_memory() {
    let mut place = Place::new();
    let mut peer = place.peer();
    peer.set_nonblocking(true).expect("an option");
    let mut ping = Vec::new();
    frame::write_command(&mut ping, "PING", b"\0\0sixteen bytes...");
    let pings = ping.repeat(1000);
    let mut written = 0;
    while written < 3 * HIGH_WATER_MARK {
        written += peer.write(&pings[written % ping.len()..]).unwrap_or(0);
        place.look();
    }
    peer.set_nonblocking(false).expect("an option");
    // All that was kept is what fits; then the connection goes on.
    let rest = &pings[written % ping.len()..ping.len()];
    peer.write_all(rest).expect("it is read");
    peer.write_all(&frame(b"hello", false)).expect("it is read");
    assert_eq!(place.receive().1, ["hello"]);
}

#[test]
fn a_peer_that_is_gone_leaves_what_it_sent() {
    let mut place = Place::new();
    let mut peer = place.peer();
    peer.write_all(&frame(b"the last word", false))
        .expect("it is read");
    drop(peer);
    let (number, frames) = place.receive();
    assert_eq!(frames, ["the last word"]);
    assert!(place.look().is_empty());
    assert!(place.router.news().disconnected);
    let mut parcel = Parcel::default();
    parcel.for_worker(ToWorker::Heartbeat { session: 1 });
    let sending = place.router.send(number, &mut parcel);
    assert_eq!(sending, Sending::Unreachable);
}

#[test]
fn a_slow_reader_gets_everything_in_order_once_it_reads() {
    let mut place = Place::new();
    let mut peer = place.peer();
    peer.write_all(&frame(b"hello", false)).expect("it is read");
    let (number, _) = place.receive();
    let job = |id: u64, len: usize| ToWorker::Job {
        session: 1,
        key: crate::wire::JobKey {
            job: id,
            attempt: 1,
        },
        service: 0,
        budget_ms: 5,
        body: vec![id as u8; len].into(),
        metadata: None,
    };
    let mut parcel = Parcel::default();
    let mut sent = Vec::new();
    for id in 0.. {
        let job = job(id, (id as usize * 7919) % 20_000);
        parcel.for_worker(job.clone());
        if place.router.send(number, &mut parcel) == Sending::WouldBlock {
            break;
        }
        sent.push(job);
        place.router.flush();
    }
    let mut reader = Reader::default();
    for expected in sent {
        while reader.messages.is_empty() {
            let mut bytes = [0; 50_000];
            let count = peer.read(&mut bytes).expect("there is more");
            reader.add(&bytes[..count]);
            // The system tells that there is room again.
            place.look();
        }
        let mut frames = reader.messages.remove(0);
        assert_eq!(ToWorker::decode(&mut frames, usize::MAX), Ok(expected));
    }
}

proptest! {
    /// Bytes that follow the protocol for a while, then do not, in pieces of any size.
    #[test]
    fn no_bytes_harm_the_router_or_another_peer(
        follows in 0_usize..4,
        noise in vec(any::<u8>(), 0..300),
        cut in 1_usize..100,
    ) {
        let mut place = Place::new();
        let mut honest = place.peer();
        let mut peer = place.stranger();
        let mut bytes = Vec::new();
        if follows > 0 {
            bytes.extend(greeting::ours());
        }
        if follows > 1 {
            command::write_ready(&mut bytes, Role::Dealer);
        }
        if follows > 2 {
            bytes.extend(frame(b"a message", noise.len() % 2 == 0));
        }
        bytes.extend(noise);
        for piece in bytes.chunks(cut) {
            // It may have been shown the door.
            if peer.write_all(piece).is_err() {
                break;
            }
            place.look();
        }
        drop(peer);
        honest.write_all(&frame(b"hello", false)).expect("it is read");
        while !place.look().iter().any(|(_, frames)| frames == &["hello"]) {
            place.wait();
        }
    }
}

/// Puts messages together.
#[derive(Default)]
struct Reader {
    bytes: Vec<u8>,
    frames: Vec<Bytes>,
    messages: Vec<Vec<Bytes>>,
}

impl Reader {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        while let Some(head) = frame::Head::read(&self.bytes).expect("frames")
            && self.bytes.len() >= head.size + head.len as usize
        {
            let rest = self.bytes.split_off(head.size + head.len as usize);
            let frame = std::mem::replace(&mut self.bytes, rest);
            self.frames.push(Bytes::from(frame).slice(head.size..));
            if !head.more {
                self.messages.push(std::mem::take(&mut self.frames));
            }
        }
    }
}
