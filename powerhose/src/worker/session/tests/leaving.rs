use super::*;
use crate::wire::limits::{BACKOFF_FIRST, DRAIN_PATIENCE};

/// The last words of a worker that was told to drain.
fn good_bye() -> [Output; 2] {
    [
        disconnected(DisconnectReason::Drained),
        Output::Exit(Exit::Drained),
    ]
}

const DRAIN: ToWorker = ToWorker::Drain { session: SESSION };

#[test]
fn an_idle_worker_that_drains_hands_back_what_crossed_its_message() {
    let mut worker = Driven::active(config(1));
    assert_eq!(worker.hand_in(Input::Drain), [draining()]);
    assert_eq!(worker.state(), State::Draining);
    assert_eq!(worker.job(1), [not_started(1, ResultCode::Returned)]);
    assert_eq!(worker.message(DRAIN), good_bye());
    assert_eq!(worker.state(), State::Exited);
}

#[test]
fn a_worker_whose_drain_is_not_answered_leaves_all_the_same() {
    let mut worker = Driven::active(config(1));
    worker.job(1);
    worker.hand_in(Input::Drain);
    worker.pass(HEARTBEAT);
    worker.pass(HEARTBEAT);
    assert_eq!(worker.state(), State::Draining);
    assert_eq!(
        worker.finished(0),
        [vec![done(1)], good_bye().into()].concat()
    );

    let mut idle = Driven::active(config(1));
    idle.hand_in(Input::Drain);
    assert_eq!(idle.pass(DRAIN_PATIENCE - Duration::from_millis(1)), []);
    assert_eq!(
        idle.session.next_deadline(),
        Some(idle.now + Duration::from_millis(1))
    );
    let outputs = idle.pass(Duration::from_millis(1));
    assert!(outputs.ends_with(&good_bye()), "{outputs:?}");
}

#[test]
fn a_worker_that_was_stopped_reads_on_before_it_leaves() {
    let mut worker = Driven::active(config(1));
    worker.hand_in(Input::Drain);
    worker.now = worker.now + DRAIN_PATIENCE + Duration::from_millis(500);
    let outputs = worker.hand_in(Input::Tick);
    assert!(!outputs.contains(&good_bye()[1]), "{outputs:?}");
    assert_eq!(worker.job(1), [not_started(1, ResultCode::Returned)]);
    let outputs = worker.pass(DRAIN_PATIENCE);
    assert!(outputs.ends_with(&good_bye()), "{outputs:?}");
}

#[test]
fn a_drain_hands_back_what_waits_and_finishes_what_started() {
    let mut worker = Driven::active(config(1));
    worker.job(1);
    worker.job(2);
    assert_eq!(
        worker.hand_in(Input::Drain),
        [draining(), not_started(2, ResultCode::Returned)]
    );
    assert_eq!(worker.state(), State::Draining);
    assert_eq!(
        worker.job(3),
        [not_started(3, ResultCode::Returned)],
        "it crossed the DRAIN"
    );
    assert_eq!(
        worker.pass(HEARTBEAT),
        [sent(FromWorker::Heartbeat { session: SESSION })]
    );
    assert_eq!(worker.message(DRAIN), []);
    assert_eq!(
        worker.finished(0),
        [
            done(1),
            disconnected(DisconnectReason::Drained),
            Output::Exit(Exit::Drained)
        ]
    );
}

#[test]
fn a_worker_dismissed_by_the_master_does_what_waits_too() {
    let mut worker = Driven::active(config(1));
    worker.job(1);
    worker.job(2);
    assert_eq!(worker.message(DRAIN), []);
    assert_eq!(worker.state(), State::Draining);
    assert_eq!(started(&worker.finished(0)), [(0, 2)]);
    assert_eq!(
        worker.finished(0),
        [
            done(2),
            disconnected(DisconnectReason::Drained),
            Output::Exit(Exit::Drained)
        ]
    );
}

#[test]
fn a_drain_after_a_dismissal_hands_back_the_rest() {
    let mut worker = Driven::active(config(1));
    worker.job(1);
    worker.job(2);
    worker.message(DRAIN);
    assert_eq!(
        worker.hand_in(Input::Drain),
        [not_started(2, ResultCode::Returned)]
    );
}

#[test]
fn a_second_wish_to_leave_ends_it_at_once() {
    let mut worker = Driven::active(config(2));
    worker.job(1);
    worker.hand_in(Input::Drain);
    assert_eq!(
        worker.hand_in(Input::Stop),
        [
            disconnected(DisconnectReason::Shutdown),
            Output::Cancel { slot: 0 },
            Output::Exit(Exit::Stopped)
        ]
    );
    assert_eq!(worker.finished(0), []);
    assert_eq!(worker.hand_in(Input::Drain), []);
}

#[test]
fn a_drain_without_a_master_ends_a_worker_that_is_owed_nothing() {
    let mut worker = Driven::new(config(1));
    worker.outputs();
    assert_eq!(worker.hand_in(Input::Drain), [Output::Exit(Exit::Drained)]);
}

#[test]
fn a_drain_without_a_master_waits_for_results_to_be_delivered() {
    let mut worker = Driven::active(config(2));
    worker.job(1);
    worker.job(2);
    worker.silence();
    worker.finished(0);
    assert_eq!(worker.hand_in(Input::Drain), []);
    assert_eq!(
        register(&worker.pass(BACKOFF_FIRST)),
        Some((SESSION, vec![2, 1]))
    );
    assert_eq!(worker.registered(SESSION), [draining(), done(1)]);
    assert_eq!(worker.state(), State::Draining);
    assert_eq!(worker.message(DRAIN), []);
    assert_eq!(
        worker.finished(1),
        [
            done(2),
            disconnected(DisconnectReason::Drained),
            Output::Exit(Exit::Drained)
        ]
    );
}

#[test]
fn a_draining_worker_whose_session_is_over_only_waits_for_its_handlers() {
    for after_drain in [false, true] {
        let mut worker = Driven::active(config(1));
        worker.job(1);
        if after_drain {
            worker.hand_in(Input::Drain);
            worker.disconnect();
        } else {
            worker.disconnect();
            worker.hand_in(Input::Drain);
        }
        assert_eq!(worker.state(), State::Draining);
        assert_eq!(worker.pass(Duration::from_secs(3600)), []);
        assert_eq!(worker.finished(0), [Output::Exit(Exit::Drained)]);
    }
}

#[test]
fn a_draining_worker_whose_session_is_not_known_any_more_registers_no_new_one() {
    let mut worker = Driven::active(config(1));
    worker.job(1);
    worker.silence();
    worker.hand_in(Input::Drain);
    worker.pass(BACKOFF_FIRST);
    assert_eq!(
        worker.rejected(SESSION, RejectReason::UnknownSession),
        [Output::Cancel { slot: 0 }]
    );
    assert_eq!(worker.finished(0), [Output::Exit(Exit::Drained)]);
}

#[test]
fn a_draining_worker_gives_up_on_a_lost_master_in_time() {
    let mut worker = Driven::active(config(1));
    worker.job(1);
    worker.hand_in(Input::Drain);
    worker.silence();
    worker.finished(0);
    let outputs = worker.pass(Duration::from_secs(60));
    assert_eq!(outputs.last(), Some(&Output::Exit(Exit::MasterLost)));
}

#[test]
fn a_worker_leaves_after_its_last_job() {
    let mut worker = Driven::active(SessionConfig {
        max_jobs: Some(2),
        ..config(1)
    });
    worker.job(1);
    worker.job(2);
    worker.job(3);
    let outputs = worker.finished(0);
    assert_eq!(started(&outputs), [(0, 2)]);
    assert!(outputs.ends_with(&[draining(), not_started(3, ResultCode::Returned)]));
    worker.message(DRAIN);
    assert_eq!(
        worker.finished(0).last(),
        Some(&Output::Exit(Exit::MaxJobs))
    );
    assert_eq!(worker.counters().started, 2);
}

#[test]
fn a_worker_leaves_at_its_age_which_varies() {
    let ages: Vec<_> = (0..20)
        .map(|seed| {
            let config = SessionConfig {
                max_age: Some(Duration::from_secs(10)),
                max_age_delta: Duration::from_secs(5),
                reconnect_limit: Duration::MAX,
                ..config(1)
            };
            let mut session = Session::new(config, seed, Time::ZERO);
            while session.state() != State::Exited {
                let due = session.next_deadline().expect("a life that ends");
                session.handle(Input::Tick, due);
                if session.state() == State::Exited {
                    let last = std::iter::from_fn(|| session.poll_output()).last();
                    assert_eq!(last, Some(Output::Exit(Exit::MaxAge)));
                    return due;
                }
            }
            unreachable!("the loop returns");
        })
        .collect();
    let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
    assert!(ages.iter().all(|age| (at(10)..=at(15)).contains(age)));
    assert!(ages.iter().any(|age| *age != ages[0]));
}

#[test]
fn the_first_reason_to_leave_is_the_one_given() {
    let mut worker = Driven::active(SessionConfig {
        max_jobs: Some(1),
        ..config(1)
    });
    worker.job(1);
    worker.hand_in(Input::Drain);
    worker.message(DRAIN);
    assert_eq!(
        worker.finished(0).last(),
        Some(&Output::Exit(Exit::MaxJobs))
    );
}
