//! Masters, clients and connections that are lost without a word.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use powerhose::{Bytes, Client, ExecuteError, Started};

use crate::support::{PATIENCE, Place, powerhose, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_job_has_one_outcome_when_the_master_is_killed_and_restarted() {
    const JOBS: usize = 200;
    let place = Place::new();
    let master = place.master(&[]);
    let _workers = [place.worker(), place.worker()];
    let clients = [place.client(), place.client()];
    let mut jobs = Vec::new();
    for number in 0..JOBS {
        let client = clients[number % 2].clone();
        let is_repeatable = number % 4 != 0;
        let name = format!("{number}");
        let body = name.clone();
        let outcome = tokio::spawn(async move {
            let job = client.job(body).timeout(PATIENCE);
            let job = if is_repeatable {
                job
            } else {
                job.at_most_once()
            };
            job.execute().await
        });
        jobs.push((name, is_repeatable, outcome));
    }
    until("some jobs are done", || {
        (place.journal().len() > JOBS / 4).then_some(())
    });
    master.kill();
    let _master = place.master(&[]);
    let mut lost = 0;
    for (name, is_repeatable, outcome) in jobs {
        let outcome = outcome.await.expect("one outcome");
        let starts = place.starts(&name);
        match outcome {
            Ok(answer) => assert_eq!(answer, Bytes::from(name.clone())),
            Err(ExecuteError::MasterLost {
                started: Started::Maybe,
            }) if !is_repeatable => lost += 1,
            other => panic!("job {name}: {other:?}"),
        }
        // A second start is only for those that allow it, after the one loss.
        let most = if is_repeatable { 2 } else { 1 };
        assert!(starts <= most, "job {name} was started {starts} times");
    }
    assert!(
        lost > 0,
        "the master died while it had some that must not be repeated"
    );
    assert!(place.journal().len() < 2 * JOBS);
    assert_eq!(place.report().jobs, 0);
}

#[test]
fn after_the_grace_the_jobs_of_a_killed_client_are_cancelled() {
    let place = Place::new();
    let _master = place.master(&["--grace", "2s"]);
    let _worker = place.worker();
    let (frontend, job) = (place.frontend(), place.write("job", "wait"));
    let call = place.start(&mut powerhose(["call", "--frontend", &frontend, &job]));
    place.is_started("wait");
    until("the report knows the client", || {
        let report = place.report();
        (report.clients.first())
            .filter(|client| client.pid == call.pid())
            .map(drop)
    });
    call.kill();
    until("the loss is noticed, and the job goes on", || {
        let report = place.report();
        let away = report
            .clients
            .first()
            .is_some_and(|client| client.state == "away");
        (away && report.jobs == 1 && report.workers[0].in_flight == 1).then_some(())
    });
    until("the job is cancelled, at the worker too", || {
        let report = place.report();
        let is_over = report.jobs == 0 && report.clients.is_empty();
        (is_over && report.workers[0].in_flight == 0).then_some(())
    });
    assert_eq!(place.report().counters["clients_abandoned"], 1);
    assert_eq!(place.starts("wait"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_back_within_the_grace_is_attached_to_its_running_job() {
    let place = Place::new();
    let both = format!("{},tcp://127.0.0.1:*", place.frontend());
    let backend = place.backend();
    let mut command = powerhose(["master", "--frontend", &both, "--backend", &backend]);
    let _master = place.start(command.args(["--grace", "1h"]));
    let _worker = place.worker();
    let frontends = place.report().frontends;
    let port = frontends.iter().find_map(|at| at.strip_prefix("tcp://"));
    let relay = Relay::start(port.expect("a port").parse().expect("an address"));
    let client = Client::connect(relay.endpoint()).expect("an endpoint");
    let job = {
        let client = client.clone();
        tokio::spawn(async move {
            client
                .job("wait")
                .at_most_once()
                .timeout(PATIENCE)
                .execute()
                .await
        })
    };
    place.is_started("wait");
    // Nobody listens for a while, which on tcp does not mean that the master is gone.
    relay.refuse(2);
    relay.cut();
    until("two connections were refused", || {
        (relay.refused() >= 2).then_some(())
    });
    until("the client is back", || {
        (place.report().counters["clients_resumed"] == 1).then_some(())
    });
    assert!(!job.is_finished());
    place.go();
    assert_eq!(job.await.expect("one outcome"), Ok(Bytes::from("wait")));
    assert_eq!(place.starts("wait"), 1, "it was started once");
}

/// Passes connections on until they are cut.
struct Relay {
    address: SocketAddr,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    /// How many connections are to be closed at once, and how many were.
    refusals: Arc<(AtomicUsize, AtomicUsize)>,
}

impl Relay {
    fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let streams = Arc::new(Mutex::new(Vec::new()));
        let refusals = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let open = Arc::clone(&streams);
        let refuse = Arc::clone(&refusals);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let (wanted, done) = &*refuse;
                if done.load(Ordering::SeqCst) < wanted.load(Ordering::SeqCst) {
                    done.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                let Ok(far) = TcpStream::connect(to) else {
                    continue;
                };
                for [from, to] in [[&near, &far], [&far, &near]] {
                    let copy = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
                    let (mut from, mut to) = (copy(from), copy(to));
                    thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
                open.lock().expect("no panic").extend([near, far]);
            }
        });
        Self {
            address,
            streams,
            refusals,
        }
    }

    /// Closes the next connections at once, as many as this.
    fn refuse(&self, connections: usize) {
        self.refusals.0.store(connections, Ordering::SeqCst);
    }

    /// How many connections were closed at once.
    fn refused(&self) -> usize {
        self.refusals.1.load(Ordering::SeqCst)
    }

    fn endpoint(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// Breaks the connections there are.
    fn cut(&self) {
        for stream in self.streams.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
