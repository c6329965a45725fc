//! Stopping a worker from inside its process.

use std::sync::mpsc;

use powerhose::wire::{DisconnectReason, ResultCode, ToWorker};
use powerhose::{Bytes, Exit};

use crate::support::{PATIENCE, SESSION, both_ways, echo, run, wait_until};

#[test]
fn a_drain_finishes_what_started_and_hands_back_the_rest() {
    both_ways(|master| {
        let (started, starts) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = std::sync::Mutex::new(released);
        let worker = run(master.worker().handler(move |job| {
            started.send(()).expect("the test listens");
            let released = released.lock().expect("no panic");
            released.recv_timeout(PATIENCE).expect("released");
            Ok(job.into_body())
        }));
        let (peer, _) = master.register();
        master.job(&peer, 1, "started");
        starts.recv_timeout(PATIENCE).expect("it starts");
        master.job(&peer, 2, "waiting");
        master.job(&peer, 3, "waiting");
        // A job of a service that there is not is answered at once: what was sent before it has arrived, too.
        let unknown = ToWorker::Job {
            session: SESSION,
            key: crate::support::key(4),
            service: 9,
            budget_ms: 1000,
            body: Bytes::new(),
            metadata: None,
        };
        master.send(&peer, unknown);
        assert_eq!(master.receive_result().1, ResultCode::UnknownService);

        worker.stopper.drain();
        for job in [2, 3] {
            assert_eq!(
                master.receive_result(),
                (job, ResultCode::Returned, Bytes::new())
            );
        }
        release.send(()).expect("the handler waits");
        assert_eq!(
            master.receive_result(),
            (1, ResultCode::Ok, "started".into())
        );
        assert_eq!(master.receive_farewell(), (0, DisconnectReason::Drained));
        let exit = worker.exit();
        assert_eq!((exit.code(), exit), (0, Exit::Drained));
    });
}

#[test]
fn a_stop_waits_for_nobody() {
    both_ways(|master| {
        let (started, starts) = mpsc::channel();
        let (ended, ends) = mpsc::channel();
        let worker = run(master.worker().handler(move |job| {
            started.send(()).expect("the test listens");
            wait_until("the job is cancelled", || job.is_cancelled());
            ended.send(()).expect("the test listens");
            Ok(Bytes::new())
        }));
        let (peer, _) = master.register();
        master.job(&peer, 1, "");
        starts.recv_timeout(PATIENCE).expect("it starts");
        worker.stopper.drain();
        worker.stopper.stop();
        let exit = worker.exit();
        assert_eq!((exit.code(), exit), (75, Exit::Stopped));
        ends.recv_timeout(PATIENCE).expect("the handler was told");
        assert_eq!(master.receive_farewell(), (0, DisconnectReason::Shutdown));
    });
}

#[test]
fn a_worker_can_be_stopped_before_it_runs() {
    both_ways(|master| {
        let worker = master
            .worker()
            .handle_signals(false)
            .handler(echo)
            .build()
            .expect("valid settings");
        worker.stopper().drain();
        assert_eq!(worker.run().expect("no error"), Exit::Drained);
    });
}

#[test]
fn the_master_may_send_a_worker_away() {
    both_ways(|master| {
        let (started, starts) = mpsc::channel();
        let worker = run(master.worker().handler(move |job| {
            started.send(()).expect("the test listens");
            Ok(job.into_body())
        }));
        let (peer, _) = master.register();
        master.job(&peer, 1, "last");
        starts.recv_timeout(PATIENCE).expect("it starts");
        master.send(&peer, ToWorker::Drain { session: SESSION });
        assert_eq!(master.receive_result().2, "last");
        assert_eq!(master.receive_farewell(), (0, DisconnectReason::Drained));
        assert_eq!(worker.exit(), Exit::Drained);
    });
}

#[test]
fn a_worker_leaves_after_the_jobs_it_was_meant_for() {
    both_ways(|master| {
        let worker = run(master.worker().max_jobs(2).handler(echo));
        let (peer, _) = master.register();
        for job in 1..=2 {
            master.job(&peer, job, "");
        }
        assert_eq!(master.receive_farewell(), (2, DisconnectReason::Drained));
        assert_eq!(worker.exit(), Exit::MaxJobs);
    });
}
