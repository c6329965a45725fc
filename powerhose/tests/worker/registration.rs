//! Sessions over a real connection: taken, refused, lost, resumed.

use std::sync::mpsc;
use std::time::Duration;

use powerhose::wire::{
    DisconnectReason, FromWorker, RejectReason, ResultCode, RunningJob, ToWorker,
};
use powerhose::{Bytes, Exit, Worker, WorkerBuilder};

use crate::support::{Master, PATIENCE, SESSION, both_ways, echo, run};

/// Short enough that a lost master is noticed soon.
const OFTEN: Duration = Duration::from_millis(30);

#[test]
fn a_worker_waits_for_a_master_that_starts_later() {
    both_ways(|mut master| {
        master.stop();
        let worker = run(master.worker().handler(echo));
        master.start();
        let (peer, _) = master.register();
        master.job(&peer, 1, "late");
        assert_eq!(master.receive_result().2, "late");
        worker.stopper.drain();
        worker.exit();
    });
}

#[test]
fn pings_go_out_and_keep_the_session() {
    both_ways(|master| {
        let worker = run(master.worker().handler(echo));
        let (peer, _, _) = master.receive_register();
        master.issue(&peer, SESSION, OFTEN);
        for _ in 0..10 {
            let (from, mut frames) = master.receive_frames();
            let message = FromWorker::decode(&mut frames, usize::MAX);
            assert_eq!(message, Ok(FromWorker::Heartbeat { session: SESSION }));
            assert_eq!(from, peer, "the connection of the session");
            master.send(&peer, ToWorker::Heartbeat { session: SESSION });
        }
        worker.stopper.stop();
        worker.exit();
    });
}

#[test]
fn malformed_and_foreign_messages_change_nothing() {
    both_ways(|master| {
        let worker = run(master.worker().handler(echo));
        let (peer, _) = master.register();
        let valid = {
            let mut first = Vec::new();
            ToWorker::Heartbeat { session: SESSION }.encode(&mut first);
            first
        };
        let with = |at: usize, byte: u8| {
            let mut frame = valid.clone();
            frame[at] = byte;
            frame
        };
        for frames in [
            vec![vec![]],
            vec![vec![1]],
            vec![valid[..27].to_vec()],
            vec![with(0, 9)],
            vec![with(1, 0xee)],
            vec![with(2, 0xff)],
            vec![valid.clone(), b"superfluous".to_vec()],
            vec![vec![0; 100_000]; 50],
        ] {
            master.send_frames(&peer, frames.clone(), false);
            master.send_frames(&peer, frames, true);
        }
        master.job_of(&peer, SESSION + 1, 1, PATIENCE, "another session's".into());
        master.send(
            &peer,
            ToWorker::Drain {
                session: SESSION + 1,
            },
        );
        master.job(&peer, 1, "ours");
        assert_eq!(master.receive_result(), (1, ResultCode::Ok, "ours".into()));
        worker.stopper.drain();
        worker.exit();
    });
}

/// A worker whose handler waits for a word of the test, but for jobs that say `now`.
fn patient(master: &Master) -> (WorkerBuilder, mpsc::Sender<()>, mpsc::Receiver<()>) {
    let (started, starts) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let released = std::sync::Mutex::new(released);
    let builder = master.worker().handler(move |job| {
        if job.body() != "now" {
            started.send(()).expect("the test listens");
            let released = released.lock().expect("no panic");
            (released.recv_timeout(PATIENCE)).expect("released");
        }
        Ok(job.into_body())
    });
    (builder, release, starts)
}

#[test]
fn pings_go_out_while_a_handler_runs() {
    both_ways(|master| {
        let (builder, release, starts) = patient(&master);
        let worker = run(builder);
        let (peer, _, _) = master.receive_register();
        master.issue(&peer, SESSION, OFTEN);
        master.job(&peer, 1, "slow");
        starts.recv_timeout(PATIENCE).expect("it starts");
        for _ in 0..10 {
            let (_, mut frames) = master.receive_frames();
            let message = FromWorker::decode(&mut frames, usize::MAX);
            assert_eq!(message, Ok(FromWorker::Heartbeat { session: SESSION }));
            master.send(&peer, ToWorker::Heartbeat { session: SESSION });
        }
        release.send(()).expect("the handler waits");
        assert_eq!(master.receive_result().2, "slow");
        worker.stopper.drain();
        worker.exit();
    });
}

#[test]
fn nothing_of_a_lost_masters_life_reaches_its_successor() {
    both_ways(|mut master| {
        let (builder, release, starts) = patient(&master);
        let worker = run(builder);
        let (old, _, _) = master.receive_register();
        master.issue(&old, SESSION, OFTEN);
        master.job(&old, 1, "old");
        master.job(&old, 2, "waits");
        starts.recv_timeout(PATIENCE).expect("job 1 starts");

        master.stop();
        master.start();
        // The old connection finds the new master before the worker has given it up. What comes over it names the old session.
        let (new, session, register) = master.receive_register();
        assert_eq!(session, SESSION, "it would resume");
        assert_eq!(register.running, [RunningJob { job: 1, attempt: 1 }]);
        master.reject(&new, SESSION, RejectReason::UnknownSession);
        let (new, session, register) = master.receive_register();
        assert_eq!((session, register.running), (0, vec![]));
        const SUCCESSOR: u64 = SESSION + 1;
        master.issue(&new, SUCCESSOR, Duration::from_secs(5));
        // The new master numbers its jobs like the old one.
        master.job_of(&new, SUCCESSOR, 1, PATIENCE, "now".into());
        release.send(()).expect("the handler waits");
        match master.receive() {
            (
                peer,
                FromWorker::Result {
                    session,
                    key,
                    code,
                    body,
                    ..
                },
            ) => {
                assert_eq!((peer, session, key.job), (new, SUCCESSOR, 1));
                assert_eq!((code, body), (ResultCode::Ok, "now".into()));
            }
            (_, other) => panic!("expected the new job's RESULT, got {other:?}"),
        }
        worker.stopper.drain();
        // And nothing came in between.
        assert_eq!(master.receive_farewell(), (0, DisconnectReason::Drained));
        worker.exit();
    });
}

#[test]
fn a_session_is_resumed_with_the_results_kept_back() {
    both_ways(|master| {
        let (builder, release, starts) = patient(&master);
        let worker = run(builder);
        let (old, _, _) = master.receive_register();
        master.issue(&old, SESSION, OFTEN);
        master.job(&old, 1, "slow");
        starts.recv_timeout(PATIENCE).expect("it starts");
        // The master keeps silent until the worker looks for it anew.
        let (new, session, register) = master.receive_register();
        assert_ne!(new, old);
        assert_eq!(session, SESSION);
        assert_eq!(register.running, [RunningJob { job: 1, attempt: 1 }]);
        release.send(()).expect("the handler waits");
        master.issue(&new, SESSION, Duration::from_secs(5));
        assert_eq!(master.receive_result(), (1, ResultCode::Ok, "slow".into()));
        worker.stopper.drain();
        worker.exit();
    });
}

#[test]
fn a_worker_without_a_master_gives_up_in_the_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let endpoint = format!("ipc://{}/nobody", directory.path().display());
    let worker = run(Worker::builder()
        .connect(endpoint)
        .reconnect_limit(Duration::from_millis(200))
        .handler(echo));
    let exit = worker.exit();
    assert_eq!((exit.code(), exit), (69, Exit::MasterLost));
}

#[test]
fn handlers_of_a_worker_that_gives_up_are_cancelled() {
    both_ways(|mut master| {
        let (cancelled, cancellations) = mpsc::channel();
        let worker = run(master
            .worker()
            .reconnect_limit(Duration::from_millis(100))
            .handler(move |job| {
                crate::support::wait_until("the job is cancelled", || job.is_cancelled());
                cancelled.send(job.remaining()).expect("the test listens");
                Ok(Bytes::new())
            }));
        let (peer, _, _) = master.receive_register();
        master.issue(&peer, SESSION, OFTEN);
        let hour = Duration::from_secs(3600);
        master.job_of(&peer, SESSION, 1, hour, Bytes::new());
        master.receive_frames();
        master.stop();
        assert_eq!(worker.exit(), Exit::MasterLost);
        let remaining = cancellations
            .recv_timeout(PATIENCE)
            .expect("the handler ends");
        assert!(remaining > hour / 2, "by the loss, not by its deadline");
    });
}

#[test]
fn a_refused_registration_ends_the_worker_with_the_masters_words() {
    both_ways(|master| {
        let worker = run(master.worker().handler(echo));
        let (peer, _, _) = master.receive_register();
        master.reject(&peer, 0, RejectReason::InvalidRegistration);
        let exit = worker.exit();
        assert_eq!(exit.code(), 78);
        assert_eq!(
            exit,
            Exit::Rejected {
                reason: RejectReason::InvalidRegistration,
                message: "by hand".into()
            }
        );
    });
}
