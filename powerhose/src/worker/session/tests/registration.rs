use super::*;
use crate::wire::WireError;
use crate::wire::limits::{BACKOFF_FIRST, BACKOFF_LIMIT, REGISTER_TIMEOUT};

#[test]
fn a_worker_opens_and_registers_at_once() {
    let mut worker = Driven::new(config(2));
    let outputs = worker.outputs();
    assert_eq!(outputs[0], Output::Open);
    assert_eq!(register(&outputs), Some((0, vec![])));
    assert_eq!(worker.state(), State::Registering);
    worker.registered(SESSION);
    assert_eq!(worker.state(), State::Active);
    assert_eq!(worker.counters().registered, 1);
}

#[test]
fn an_unanswered_registration_is_tried_again_over_new_connections() {
    let mut worker = Driven::new(config(1));
    worker.outputs();
    assert_eq!(
        worker.session.next_deadline(),
        Some(Time::ZERO + REGISTER_TIMEOUT)
    );
    worker.pass(REGISTER_TIMEOUT);
    assert_eq!(worker.state(), State::Backoff);
    let outputs = worker.pass(BACKOFF_FIRST);
    assert_eq!(outputs[0], Output::Open);
    assert_eq!(register(&outputs), Some((0, vec![])));
    assert_eq!(worker.state(), State::Registering);
}

#[test]
fn pings_go_out_at_the_interval_and_any_message_of_the_session_keeps_it() {
    let mut worker = Driven::active(config(1));
    for round in 0..20 {
        let outputs = worker.pass(HEARTBEAT);
        assert_eq!(
            outputs,
            [sent(FromWorker::Heartbeat { session: SESSION })],
            "round {round}"
        );
        if round % 2 == 0 {
            worker.heartbeat();
        } else {
            worker.job(round);
        }
    }
    assert_eq!(worker.state(), State::Active);
}

#[test]
fn another_sessions_messages_are_counted_and_keep_nothing_alive() {
    let mut worker = Driven::active(config(1));
    worker.pass(HEARTBEAT * (MISSES - 1));
    assert_eq!(
        worker.message(ToWorker::Heartbeat {
            session: SESSION + 1
        }),
        []
    );
    assert_eq!(
        worker.message(to_job(SESSION + 1, 4, Duration::from_secs(1))),
        []
    );
    assert_eq!(worker.counters().foreign, 2);
    worker.pass(HEARTBEAT);
    assert_eq!(worker.state(), State::Backoff);
}

#[test]
fn malformed_input_is_counted_and_survived() {
    let mut worker = Driven::active(config(1));
    let error = WireError::ShortHeader { len: 3 };
    assert_eq!(worker.hand_in(Input::Malformed(error)), []);
    assert_eq!(worker.counters().malformed, 1);
    assert_eq!(started(&worker.job(1)), [(0, 1)]);
}

#[test]
fn a_silent_master_is_left_and_the_session_resumed_with_what_was_started() {
    let mut worker = Driven::active(config(2));
    worker.job(1);
    worker.job(2);
    worker.job(3);
    worker.silence();
    assert_eq!(worker.finished(1), [], "kept back");
    let outputs = worker.pass(BACKOFF_FIRST);
    assert_eq!(outputs[0], Output::Open);
    // Job 3 was never started: the master may give it to somebody else.
    assert_eq!(register(&outputs), Some((SESSION, vec![1, 2])));
    assert_eq!(worker.registered(SESSION), [done(2)]);
    assert_eq!(worker.finished(0), [done(1)]);
    let counters = worker.counters();
    assert_eq!((counters.resumed, counters.forgotten), (1, 1));
}

#[test]
fn a_master_that_does_not_know_the_session_gets_nothing_of_it() {
    let mut worker = Driven::active(config(2));
    worker.job(1);
    worker.job(2);
    worker.silence();
    worker.finished(1);
    worker.pass(BACKOFF_FIRST);
    let outputs = worker.rejected(SESSION, RejectReason::UnknownSession);
    assert_eq!(outputs[0], Output::Cancel { slot: 0 });
    assert_eq!(
        register(&outputs),
        Some((0, vec![])),
        "over the same connection"
    );
    assert!(!outputs.contains(&Output::Open));
    worker.registered(SESSION + 1);
    // The new master numbers its jobs from 1 again.
    let outputs = worker.message(to_job(SESSION + 1, 1, Duration::from_secs(1)));
    assert_eq!(started(&outputs), [(1, 1)]);
    assert_eq!(worker.finished(0), [], "the old job 1");
    assert!(matches!(
        worker.finished(1)[..],
        [Output::Send(FromWorker::Result { session, key: JobKey { job: 1, .. }, .. })] if session == SESSION + 1
    ));
    assert_eq!(worker.counters().unwanted, 2);
}

#[test]
fn a_new_session_instead_of_the_old_one_drops_what_is_left_of_the_old_one() {
    let mut worker = Driven::active(config(1));
    worker.job(1);
    worker.silence();
    worker.finished(0);
    worker.pass(BACKOFF_FIRST);
    assert_eq!(worker.registered(SESSION + 1), []);
    assert_eq!(worker.counters().unwanted, 1);
}

#[test]
fn a_session_that_the_master_ends_is_over() {
    for unknown in [false, true] {
        let mut worker = Driven::active(config(1));
        worker.job(1);
        worker.job(2);
        let outputs = if unknown {
            worker.rejected(SESSION, RejectReason::UnknownSession)
        } else {
            worker.disconnect()
        };
        assert_eq!(outputs, [Output::Cancel { slot: 0 }]);
        assert_eq!(worker.state(), State::Backoff);
        assert_eq!(worker.finished(0), []);
        let outputs = worker.pass(BACKOFF_FIRST);
        assert_eq!(register(&outputs), Some((0, vec![])));
    }
}

#[test]
fn a_refusal_that_may_pass_is_waited_out() {
    for reason in [RejectReason::TooManyWorkers, RejectReason::Draining] {
        let mut worker = Driven::new(config(1));
        worker.outputs();
        assert_eq!(worker.rejected(0, reason), []);
        assert_eq!(worker.state(), State::Backoff);
        assert_eq!(register(&worker.pass(BACKOFF_FIRST)), Some((0, vec![])));
    }
}

#[test]
fn a_refusal_that_will_not_pass_ends_the_worker() {
    for reason in [
        RejectReason::UnsupportedVersion,
        RejectReason::InvalidRegistration,
        RejectReason::Malformed,
    ] {
        let mut worker = Driven::new(config(1));
        worker.outputs();
        let message = "no".into();
        assert_eq!(
            worker.rejected(0, reason),
            [Output::Exit(Exit::Rejected { reason, message })]
        );
        assert_eq!(worker.state(), State::Exited);
    }
}

#[test]
fn a_refusal_of_an_earlier_attempt_changes_nothing() {
    let mut worker = Driven::active(config(1));
    worker.silence();
    worker.pass(BACKOFF_FIRST);
    worker.rejected(SESSION, RejectReason::UnknownSession);
    assert_eq!(worker.rejected(SESSION, RejectReason::UnknownSession), []);
    assert_eq!(worker.state(), State::Registering);
    assert_eq!(worker.counters().unexpected, 1);
}

#[test]
fn the_reconnect_limit_ends_the_worker() {
    let limit = Duration::from_secs(60);
    let mut worker = Driven::new(config(1));
    let early = worker.pass(limit - Duration::from_millis(1));
    assert!(
        !early.iter().any(|output| matches!(output, Output::Exit(_))),
        "not before the limit"
    );
    let tries = early.iter().filter(|output| **output == Output::Open);
    // 2 s for each answer and up to 5 s between tries.
    assert!((8..25).contains(&tries.count()));
    assert_eq!(
        worker.pass(Duration::from_millis(1)),
        [Output::Exit(Exit::MasterLost)]
    );
    assert_eq!(worker.session.next_deadline(), None);
}

#[test]
fn the_reconnect_limit_counts_from_the_loss() {
    let mut worker = Driven::active(config(1));
    for _ in 0..100 {
        worker.pass(HEARTBEAT);
        worker.heartbeat();
    }
    worker.job(1);
    worker.silence();
    let lost = worker.now;
    let outputs = worker.pass(Duration::from_secs(60));
    assert_eq!(outputs.last(), Some(&Output::Exit(Exit::MasterLost)));
    assert!(
        outputs.contains(&Output::Cancel { slot: 0 }),
        "the handler is told"
    );
    assert_eq!(worker.now.since(lost), Duration::from_secs(60));
}

#[test]
fn masters_that_drop_everybody_are_not_stormed() {
    let mut worker = Driven::new(config(1));
    let mut last = Duration::ZERO;
    for session in (SESSION..).take(12) {
        worker.registered(session);
        let before = worker.now;
        worker.message(ToWorker::Disconnect {
            session,
            reason: DisconnectReason::Overflow,
        });
        while worker.state() == State::Backoff {
            let due = worker.session.next_deadline().expect("a try");
            worker.now = due;
            worker.hand_in(Input::Tick);
        }
        last = worker.now - before;
    }
    assert!(last >= BACKOFF_LIMIT / 2, "{last:?}");
}

#[test]
fn a_pause_of_its_own_is_not_held_against_the_master() {
    let mut worker = Driven::active(config(1));
    worker.pass(HEARTBEAT);
    worker.heartbeat();
    worker.sleep(Duration::from_secs(3600));
    assert_eq!(
        worker.hand_in(Input::Tick),
        [sent(FromWorker::Heartbeat { session: SESSION })]
    );
    assert_eq!(worker.state(), State::Active);
    worker.heartbeat();
    worker.pass(HEARTBEAT * (MISSES - 1));
    assert_eq!(worker.state(), State::Active);
    worker.pass(HEARTBEAT);
    assert_eq!(
        worker.state(),
        State::Backoff,
        "a master that stays silent is lost all the same"
    );
}

#[test]
fn a_pause_of_its_own_does_not_use_up_the_reconnect_limit() {
    let mut worker = Driven::new(config(1));
    worker.outputs();
    worker.pass(Duration::from_secs(1));
    worker.sleep(Duration::from_secs(3600));
    worker.hand_in(Input::Tick);
    assert_ne!(worker.state(), State::Exited);
    worker.pass(BACKOFF_FIRST);
    assert_eq!(worker.state(), State::Registering);
}

#[test]
fn terms_that_make_no_sense_are_bent_into_some() {
    let mut worker = Driven::new(config(1));
    worker.outputs();
    let terms = Registered {
        heartbeat_ms: 0,
        misses: 0,
        max_body: 0,
        implementation: String::new(),
    };
    worker.message(ToWorker::Registered {
        session: SESSION,
        terms,
    });
    let due = worker.session.next_deadline().expect("a limit");
    assert!(due > worker.now);
    assert_eq!(worker.registered(0), [], "0 is no session");
}

#[test]
fn the_same_seed_gives_the_same_life() {
    let life = |seed| {
        let mut session = Session::new(config(1), seed, Time::ZERO);
        let mut ticks = Vec::new();
        while let Some(due) = session.next_deadline() {
            session.handle(Input::Tick, due);
            ticks.push(due);
        }
        ticks
    };
    assert_eq!(life(1), life(1));
    assert_ne!(life(1), life(2));
}
