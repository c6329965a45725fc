use powerhose::master::{Action, Config, Event, Peer, WorkerState};
use powerhose::wire::{
    CancelReason, DisconnectReason, FromWorker, JobKey, Register, RejectReason, ToWorker, WireError,
};

use super::support::{Bench, Player, holding, ms, offering, registration};

#[test]
fn a_worker_gets_a_session_and_the_terms() {
    let mut bench = Bench::with(Config {
        heartbeat: ms(250),
        misses: 4,
        max_body: 1000,
        ..Config::default()
    });
    let peer = bench.fresh_peer();
    let (session, terms) = bench.register(peer, 0, registration()).expect("accepted");
    assert_ne!(session, 0);
    assert_eq!(
        (terms.heartbeat_ms, terms.misses, terms.max_body),
        (250, 4, 1000)
    );
    assert_eq!(
        bench.master.worker_state(session),
        Some(WorkerState::Active)
    );
}

#[test]
fn asking_again_over_the_same_connection_gives_the_same_session() {
    let mut bench = Bench::new();
    let peer = bench.fresh_peer();
    let first = bench.register(peer, 0, registration()).expect("accepted");
    let second = bench.register(peer, 0, registration()).expect("accepted");
    let third = bench
        .register(peer, first.0, registration())
        .expect("accepted");
    assert_eq!(first, second);
    assert_eq!(first, third);
    assert_eq!(bench.master.stats().workers, 1);
}

#[test]
fn sessions_differ() {
    let mut bench = Bench::new();
    let (a, b) = (bench.worker(), bench.worker());
    assert_ne!(a.session, b.session);
}

#[test]
fn another_registration_over_the_same_connection_replaces_the_first() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let ticket = bench.submit_plain();
    bench.take();
    let (session, _) = (bench.register(worker.peer, 0, offering(&["other"]))).expect("accepted");
    assert_ne!(session, worker.session);
    assert_eq!(bench.master.worker_state(worker.session), None);
    assert_eq!(bench.jobs(), [], "it does not offer the service any more");
    let other = bench.worker();
    assert_eq!(bench.job().session, other.session);
    bench.cancel(ticket);
}

#[test]
fn an_unknown_session_in_register_gets_a_new_one() {
    let mut bench = Bench::new();
    let peer = bench.fresh_peer();
    let (session, _) = bench.register(peer, 99, registration()).expect("accepted");
    assert_ne!(session, 99);
    assert_eq!(bench.master.stats().counters.resumed, 0);
}

#[test]
fn a_worker_resumes_its_session_over_a_new_connection_with_what_it_holds() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let ticket = bench.submit_plain();
    let job = bench.job();
    let peer = bench.fresh_peer();
    let (session, _) =
        (bench.register(peer, worker.session, holding(&[job.key]))).expect("accepted");
    assert_eq!(session, worker.session);
    assert_eq!(bench.jobs(), [], "the job is where it was");
    bench.lose(worker);
    assert_eq!(bench.outcomes(), [], "the old connection matters no more");
    bench.finish(Player { peer, session }, job.key, ms(1));
    assert_eq!(bench.outcome(ticket).expect("a result"), "result");
}

#[test]
fn what_a_resuming_worker_does_not_hold_is_sent_again() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    bench.submit_plain();
    let lost = bench.job();
    let peer = bench.fresh_peer();
    bench
        .register(peer, worker.session, holding(&[]))
        .expect("accepted");
    let again = bench.job();
    assert_eq!((again.key.job, again.key.attempt), (lost.key.job, 2));
    assert_eq!(again.peer, peer);
    bench.finish(worker, lost.key, ms(1));
    assert_eq!(bench.outcomes(), [], "the first attempt counts no more");
}

#[test]
fn what_a_resuming_worker_holds_for_nobody_is_called_off() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let stray = JobKey {
        job: 12345,
        attempt: 2,
    };
    let peer = bench.fresh_peer();
    bench
        .register(peer, worker.session, holding(&[stray]))
        .expect("accepted");
    assert_eq!(bench.cancels(), [(peer, stray, CancelReason::Superseded)]);
}

#[test]
fn a_session_is_not_resumed_with_other_services_or_slots() {
    let mut bench = Bench::new();
    for changed in [
        offering(&["", "more"]),
        Register {
            slots: 2,
            ..registration()
        },
    ] {
        let worker = bench.worker();
        let peer = bench.fresh_peer();
        let (session, _) = bench
            .register(peer, worker.session, changed)
            .expect("accepted");
        assert_ne!(session, worker.session);
        assert_eq!(bench.master.worker_state(worker.session), None);
    }
}

#[test]
fn a_connection_that_resumes_another_session_gives_up_its_own() {
    let mut bench = Bench::new();
    let (old, other) = (bench.worker(), bench.worker());
    let (session, _) = (bench.register(other.peer, old.session, registration())).expect("accepted");
    assert_eq!(session, old.session);
    assert_eq!(bench.master.worker_state(other.session), None);
    assert_eq!(bench.master.stats().workers, 1);
}

#[test]
fn whoever_names_an_unknown_session_is_asked_to_register_again() {
    let mut bench = Bench::new();
    let stranger = Player {
        peer: Peer::Backend(900),
        session: 900,
    };
    bench.heartbeat(stranger);
    bench.drain_worker(stranger);
    let key = JobKey { job: 1, attempt: 1 };
    bench.finish(stranger, key, ms(1));
    assert_eq!(bench.rejections(), [RejectReason::UnknownSession; 3]);
    bench.disconnect(stranger);
    assert_eq!(bench.take(), [], "who leaves anyway is not asked");
}

#[test]
fn a_heartbeat_is_answered() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    bench.take();
    bench.heartbeat(worker);
    let session = worker.session;
    let answer = Action::Send {
        peer: worker.peer,
        message: ToWorker::Heartbeat { session },
    };
    assert_eq!(bench.take(), [answer]);
}

#[test]
fn what_is_no_message_is_refused_with_its_reason() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    bench.event(Event::Malformed {
        peer: worker.peer,
        error: WireError::ShortHeader { len: 3 },
    });
    assert_eq!(bench.rejections(), [RejectReason::Malformed]);
    assert_eq!(bench.master.stats().counters.malformed, 1);
    assert_eq!(bench.master.stats().workers, 1);
}

#[test]
fn workers_beyond_the_limit_are_refused_until_one_leaves() {
    let mut bench = Bench::with(Config {
        max_workers: 2,
        ..Config::default()
    });
    let first = bench.worker();
    bench.worker();
    bench.take();
    let peer = bench.fresh_peer();
    assert_eq!(bench.register(peer, 0, registration()), None);
    assert_eq!(bench.rejections(), [RejectReason::TooManyWorkers]);
    bench.disconnect(first);
    bench.register(peer, 0, registration()).expect("accepted");
}

#[test]
fn a_worker_that_leaves_is_forgotten_and_what_it_had_is_sent_again() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    bench.submit_plain();
    let job = bench.job();
    let message = FromWorker::Disconnect {
        session: worker.session,
        reason: DisconnectReason::Shutdown,
    };
    bench.message(worker.peer, message);
    assert_eq!(bench.master.stats().workers, 0);
    let other = bench.worker();
    let again = bench.job();
    assert_eq!((again.session, again.key.job), (other.session, job.key.job));
    assert_eq!(again.key.attempt, 2);
}
