//! Peers that do what they must not. They are told, counted, and do the others no harm.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use powerhose::wire::limits::DEFAULT_MAX_BODY;
use powerhose::wire::{
    Encoded, FromClient, FromWorker, Open, OutcomeCode, Register, RejectReason, ServiceName,
    Submit, ToClient, ToWorker,
};
use powerhose::{Report, Started};

use crate::support::{LONG, Place, eventually};

/// A peer that says what the test wants.
struct Bare(zmq::Socket);

impl Bare {
    fn connect(endpoint: &str) -> Self {
        let socket = zmq::Context::new().socket(zmq::DEALER).expect("a socket");
        socket.set_linger(0).expect("a valid option");
        let patience = i32::try_from(LONG.as_millis()).expect("short");
        socket.set_rcvtimeo(patience).expect("a valid option");
        socket.set_sndtimeo(patience).expect("a valid option");
        socket.connect(endpoint).expect("a valid endpoint");
        Self(socket)
    }

    fn send(&self, encode: impl FnOnce(&mut Vec<u8>) -> Encoded) {
        let mut first = Vec::new();
        let rest = encode(&mut first);
        let frames = [Some(first.into()), rest.body, rest.metadata];
        let frames = frames.into_iter().flatten().map(Vec::from);
        (self.0.send_multipart(frames, 0)).expect("there is room");
    }

    fn receive(&self) -> Vec<Bytes> {
        let frames = self.0.recv_multipart(0).expect("an answer");
        frames.into_iter().map(Bytes::from).collect()
    }

    fn receive_as_client(&self) -> ToClient {
        ToClient::decode(&mut self.receive()).expect("a message")
    }

    fn receive_as_worker(&self) -> ToWorker {
        ToWorker::decode(&mut self.receive(), usize::MAX).expect("a message")
    }

    fn open(&self) -> u64 {
        let open = Open {
            pid: 0,
            host: String::new(),
            implementation: "bare".to_owned(),
            received: 0,
        };
        self.send(|first| FromClient::Open { session: 0, open }.encode(first));
        match self.receive_as_client() {
            ToClient::Opened { session, .. } => session,
            other => panic!("no session: {other:?}"),
        }
    }

    fn register(&self, slots: u16) {
        let register = Register {
            services: vec!["bare".to_owned()],
            slots,
            pid: 0,
            host: String::new(),
            implementation: "bare".to_owned(),
            socket: None,
            running: Vec::new(),
        };
        let session = 0;
        self.send(|first| FromWorker::Register { session, register }.encode(first));
    }
}

fn submit(session: u64, sequence: u64, body: Vec<u8>) -> FromClient {
    FromClient::Submit {
        session,
        submit: Submit {
            sequence,
            budget_ms: 60_000,
            attempts: 1,
            at_most_once: false,
            attempt_timeout_ms: None,
            service: ServiceName::default(),
            body: body.into(),
            metadata: None,
        },
    }
}

async fn serves(place: &Place) {
    let job = place.client().job("x").timeout(LONG).execute().await;
    assert_eq!(job, Ok(Bytes::from("x")));
}

fn counted(place: &Place, counter: &str, times: u64) {
    eventually(counter, || {
        let report = Report::ask(&place.frontend(), LONG).expect("a report");
        report.counters[counter] == times
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_speaks_another_version_is_told_which_are_spoken() {
    let place = Place::new();
    let _master = place.master();
    let _worker = place.worker(1, |job| Ok(job.body().clone()));
    // Everything behind the version may look as it likes.
    let message = || [&[2_u8][..], &[0xff; 40]].concat();
    let client = Bare::connect(&place.frontend());
    client.0.send(message(), 0).expect("there is room");
    let ToClient::Rejected {
        session,
        reason,
        rejection,
    } = client.receive_as_client()
    else {
        panic!("it was not rejected");
    };
    assert_eq!((session, reason), (0, RejectReason::UnsupportedVersion));
    assert_eq!(rejection.versions, [1]);
    assert!(rejection.message.contains("version 2"), "{rejection:?}");

    let worker = Bare::connect(&place.backend());
    worker.0.send(message(), 0).expect("there is room");
    let ToWorker::Rejected {
        reason, rejection, ..
    } = worker.receive_as_worker()
    else {
        panic!("it was not rejected");
    };
    assert_eq!(reason, RejectReason::UnsupportedVersion);
    assert_eq!(rejection.versions, [1]);
    counted(&place, "clients_other_versions", 1);
    counted(&place, "other_versions", 1);
    serves(&place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_above_the_limit_is_told_to_its_sender_alone() {
    let place = Place::new();
    let _master = place.master();
    let _worker = place.worker(1, |job| Ok(job.body().clone()));
    let client = Bare::connect(&place.frontend());
    let session = client.open();
    let too_large = vec![7; DEFAULT_MAX_BODY + 1];
    client.send(|first| submit(session, 1, too_large.clone()).encode(first));
    let ToClient::Reply { reply, .. } = client.receive_as_client() else {
        panic!("no reply");
    };
    assert_eq!(reply.code, OutcomeCode::PayloadTooLarge);
    assert_eq!(reply.started, Started::No);
    assert_eq!(reply.detail as usize, DEFAULT_MAX_BODY);
    // Its session goes on.
    client.send(|first| submit(session, 2, b"fits".to_vec()).encode(first));
    let ToClient::Reply { reply, .. } = client.receive_as_client() else {
        panic!("no reply");
    };
    assert_eq!(
        (reply.code, reply.body),
        (OutcomeCode::Ok, Bytes::from("fits"))
    );

    let worker = Bare::connect(&place.backend());
    worker.register(1);
    let ToWorker::Registered { session, .. } = worker.receive_as_worker() else {
        panic!("not registered");
    };
    let result = FromWorker::Result {
        session,
        key: powerhose::wire::JobKey { job: 1, attempt: 1 },
        code: powerhose::wire::ResultCode::Ok,
        elapsed_us: 0,
        body: too_large.into(),
    };
    worker.send(|first| result.encode(first));
    let ToWorker::Rejected { reason, .. } = worker.receive_as_worker() else {
        panic!("it was not rejected");
    };
    assert_eq!(reason, RejectReason::TooLarge);

    // Beyond twice the limit and a MiB libzmq ends the connection, and only that one.
    let huge = Bare::connect(&place.frontend());
    let session = huge.open();
    let body = vec![7; 2 * DEFAULT_MAX_BODY + (2 << 20)];
    huge.send(|first| submit(session, 1, body).encode(first));
    counted(&place, "clients_lost", 1);
    serves(&place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_flood_of_one_client_does_not_hold_up_another() {
    const FLOOD: usize = 800;
    let place = Place::new();
    let _master = place.master();
    let _worker = place.worker(1, |job| {
        std::thread::sleep(Duration::from_millis(1));
        Ok(job.body().clone())
    });
    let flooding = place.client();
    let flood: Vec<_> = (0..FLOOD)
        .map(|_| {
            let client = flooding.clone();
            tokio::spawn(async move { client.job("x").timeout(LONG).execute().await })
        })
        .collect();
    eventually("the flood is there", || {
        let report = Report::ask(&place.frontend(), LONG).expect("a report");
        report.counters["clients_submitted"] == FLOOD as u64
    });
    let other = place.client();
    for _ in 0..20 {
        let job = other.job("y").timeout(LONG).execute().await;
        assert_eq!(job, Ok(Bytes::from("y")));
    }
    let left = flood.iter().filter(|job| !job.is_finished()).count();
    assert!(left > FLOOD / 10, "it came when the flood was over");
    for job in flood {
        job.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_register_and_submit_in_a_loop_do_not_hold_up_others() {
    const AT_ONCE: usize = 200;
    let place = Place::new();
    let _master = place.master();
    let _worker = place.worker(1, |job| Ok(job.body().clone()));
    let stop = Arc::new(AtomicBool::new(false));
    let loops = [place.backend(), place.frontend()].map(|endpoint| {
        let stop = Arc::clone(&stop);
        let is_worker = endpoint == place.backend();
        std::thread::spawn(move || {
            let peer = Bare::connect(&endpoint);
            let mut turn = 0_u16;
            while !stop.load(Ordering::Relaxed) {
                for _ in 0..AT_ONCE {
                    turn = turn.wrapping_add(1);
                    if is_worker {
                        peer.register(1 + turn % 2);
                    } else {
                        let session = u64::from(turn);
                        peer.send(|first| submit(session, 1, vec![7; 100]).encode(first));
                    }
                }
                // Each is answered.
                for _ in 0..AT_ONCE {
                    peer.receive();
                }
            }
        })
    });
    eventually("they are at it", || {
        let report = Report::ask(&place.frontend(), LONG).expect("a report");
        report.counters["throttled"] > 100 && report.counters["clients_unknown_sessions"] > 100
    });
    let client = place.client();
    for _ in 0..200 {
        let job = client.job("y").timeout(LONG).execute().await;
        assert_eq!(job, Ok(Bytes::from("y")));
    }
    eventually("the worker has done all in one session", || {
        let report = Report::ask(&place.frontend(), LONG).expect("a report");
        report.workers.iter().any(|worker| worker.completed == 200)
    });
    stop.store(true, Ordering::Relaxed);
    for thread in loops {
        thread.join().expect("no panic");
    }
}
