//! A worker without an SDK, bare pyzmq written from protocol.md alone, under a real master.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use powerhose::wire::limits::DEFAULT_MAX_BODY;
use powerhose::wire::{FromWorker, Registered, ToWorker};
use powerhose::{ExecuteError, JobRunner};
use rustix::process::Signal;
use tempfile::TempDir;
use tests::process::{PATIENCE, Process};
use tests::{paths, python};

/// A place for the master's socket.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("jobs")
    }

    fn endpoint(&self) -> String {
        format!("ipc://{}", self.path().display())
    }

    fn runner(&self) -> JobRunner {
        JobRunner::bind(self.endpoint()).expect("a free path")
    }

    /// Starts the worker; its slow service takes this long.
    fn worker(&self, slow: Duration) -> Process {
        let script = paths::repository().join("tests/tests/foreign/bare_worker.py");
        let mut command = python::command(&script);
        command.args([self.endpoint(), slow.as_secs_f64().to_string()]);
        Process::start(&mut command)
    }
}

fn registered(line: &str) -> Option<String> {
    line.strip_prefix("registered ").map(ToOwned::to_owned)
}

async fn square(runner: &JobRunner, number: u64) -> Result<Bytes, ExecuteError> {
    let job = runner.job(number.to_string()).service("square");
    job.timeout(PATIENCE).execute().await
}

fn is_square(number: u64, answer: &Result<Bytes, ExecuteError>) {
    let expected = Bytes::from((number * number).to_string());
    assert_eq!(answer.as_ref(), Ok(&expected), "the square of {number}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_registers_and_serves() {
    let place = Place::new();
    let runner = place.runner();
    let mut worker = place.worker(Duration::ZERO);
    let session = worker.expect("a session", registered);

    let workers = runner.workers().await;
    assert_eq!(workers.len(), 1);
    assert_eq!(format!("{:016x}", workers[0].session), session);
    assert_eq!(workers[0].pid, worker.id());
    assert_eq!(workers[0].implementation, "bare-python/1");
    let services = ["square", "slow-square", "stubborn-square"];
    assert_eq!(workers[0].services, services);

    let jobs: Vec<_> = (0..500)
        .map(|number| {
            let runner = runner.clone();
            tokio::spawn(async move { square(&runner, number).await })
        })
        .collect();
    for (number, job) in (0..).zip(jobs) {
        is_square(number, &job.await.expect("no panic"));
    }

    let failure = runner
        .job("eleven")
        .service("square")
        .execute()
        .await
        .expect_err("it is no number");
    let ExecuteError::Failed { message } = failure else {
        panic!("not the handler's failure: {failure:?}");
    };
    assert!(String::from_utf8_lossy(&message).contains("eleven"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_any_size_and_metadata_are_no_obstacle() {
    let place = Place::new();
    let runner = place.runner();
    let _worker = place.worker(Duration::ZERO);
    for zeros in [1, 500, 1023, 1024, 2000] {
        let answer = runner
            .job(format!("1{}", "0".repeat(zeros)))
            .service("square")
            .metadata("traceparent")
            .timeout(PATIENCE)
            .execute()
            .await;
        let expected = format!("1{}", "0".repeat(2 * zeros));
        assert_eq!(answer.expect("a result"), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_silence_while_it_works_is_not_held_against_it() {
    let place = Place::new();
    let runner = JobRunner::builder()
        .bind(place.endpoint())
        .heartbeat(Duration::from_millis(50), 2)
        .start()
        .expect("a free path");
    let mut worker = place.worker(Duration::from_secs(1));
    worker.expect("a session", registered);
    // Sleeping, and burning CPU under Python's global lock: only libzmq's own thread answers then.
    for service in ["slow-square", "stubborn-square"] {
        let job = runner.job("12").service(service).timeout(PATIENCE);
        assert_eq!(job.execute().await, Ok(Bytes::from("144")), "{service}");
    }
    let counters = runner.stats().await.counters;
    assert_eq!((counters.dispatched, counters.registered), (2, 1));
    assert_eq!((counters.workers_silent, counters.workers_lost), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn drained_it_finishes_its_job_and_leaves_the_others_to_its_successor() {
    let place = Place::new();
    let runner = place.runner();
    let mut worker = place.worker(Duration::from_secs(1));
    worker.expect("a session", registered);

    let jobs: Vec<_> = (10..14_u64)
        .map(|number| {
            let job = runner.clone();
            let job = async move {
                let job = job.job(number.to_string()).service("slow-square");
                job.timeout(PATIENCE).execute().await
            };
            (number, tokio::spawn(job))
        })
        .collect();
    worker.expect("a job", |line| line.starts_with("working").then_some(()));
    worker.signal(Signal::TERM);
    assert_eq!(worker.wait().code(), Some(0), "{}", worker.output());
    let gone = async {
        while !runner.workers().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    (tokio::time::timeout(PATIENCE, gone).await).expect("the master has read its good-bye");
    let counters = runner.stats().await.counters;
    assert_eq!((counters.completed, counters.workers_left), (1, 1));
    assert_eq!(counters.workers_lost, 0);

    let _successor = place.worker(Duration::ZERO);
    for (number, job) in jobs {
        is_square(number, &job.await.expect("no panic"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_back_to_a_master_that_was_restarted() {
    let place = Place::new();
    let runner = place.runner();
    let mut worker = place.worker(Duration::ZERO);
    let first = worker.expect("a session", registered);
    is_square(3, &square(&runner, 3).await);
    runner.shutdown(PATIENCE).await;

    let runner = place.runner();
    let second = worker.expect("another session", registered);
    assert_ne!(first, second);
    is_square(4, &square(&runner, 4).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_back_after_a_master_that_vanished_without_a_word() {
    let place = Place::new();
    let mut worker = place.worker(Duration::ZERO);
    register_and_vanish(&place.endpoint());
    let first = worker.expect("a session", registered);
    assert_eq!(first, format!("{:016x}", 7));

    let runner = place.runner();
    let second = worker.expect("another session", registered);
    assert_ne!(first, second);
    is_square(5, &square(&runner, 5).await);
}

/// A master that gives one worker a session and dies.
fn register_and_vanish(endpoint: &str) {
    let context = zmq::Context::new();
    let socket = context.socket(zmq::ROUTER).expect("a socket");
    let patience = i32::try_from(PATIENCE.as_millis()).expect("a minute");
    socket.set_rcvtimeo(patience).expect("a timeout");
    socket.bind(endpoint).expect("a free path");
    let mut frames = socket.recv_multipart(0).expect("a message").into_iter();
    let peer = frames.next().expect("a routing id");
    let mut frames: Vec<Bytes> = frames.map(Bytes::from).collect();
    let message = FromWorker::decode(&mut frames, DEFAULT_MAX_BODY).expect("a message");
    assert!(matches!(message, FromWorker::Register { session: 0, .. }));

    let mut first = Vec::new();
    let registered = ToWorker::Registered {
        session: 7,
        terms: Registered {
            heartbeat_ms: 50,
            misses: 3,
            max_body: 1024,
            implementation: String::new(),
        },
    };
    registered.encode(&mut first);
    socket
        .send_multipart([peer, first], 0)
        .expect("it is there");
    // The worker pings, so it has heard of its session.
    socket.recv_multipart(0).expect("a HEARTBEAT");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_for_want_of_room_it_keeps_trying_until_it_is_told_to_leave() {
    let place = Place::new();
    let _runner = JobRunner::builder()
        .bind(place.endpoint())
        .max_workers(1)
        .start()
        .expect("a free path");
    let mut first = place.worker(Duration::ZERO);
    first.expect("a session", registered);
    let mut second = place.worker(Duration::ZERO);
    for _ in 0..3 {
        second.expect("a refusal", |line| {
            line.starts_with("rejected 6 ").then_some(())
        });
    }
    second.signal(Signal::TERM);
    assert_eq!(second.wait().code(), Some(0), "{}", second.output());
}
