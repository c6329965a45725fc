use std::time::Duration;

use super::*;
use crate::wire::DisconnectReason;

#[test]
fn a_client_gets_a_session_and_its_terms() {
    let mut master = Driven::new();
    let actions = master.receive(7, open(0, 0));
    let [(7, session, terms)] = opened(&actions)[..] else {
        panic!("{actions:?}");
    };
    assert_ne!(session, 0);
    assert_eq!(
        *terms,
        Opened {
            heartbeat_ms: 1000,
            misses: MISSES,
            max_body: MAX_BODY as u64,
            grace_ms: 5000,
            max_jobs: 3,
            max_bytes: MAX_BYTES as u64,
            submitted: 0,
            implementation: terms.implementation.clone(),
        }
    );
    assert_eq!(master.core.counters().opened, 1);
}

#[test]
fn a_question_that_comes_twice_gets_the_same_answer() {
    let mut master = Driven::new();
    let session = master.open(7);
    let job = master.take(7, session, 1);
    assert_eq!(master.open(7), session);
    assert_eq!(master.core.clients(master.now).len(), 1);
    let actions = master.complete(job, "done");
    assert_eq!(only_replies(&actions, 7), [(1, OutcomeCode::Ok)]);
}

#[test]
fn each_connection_has_a_session_of_its_own() {
    let mut master = Driven::new();
    let [one, other] = [1, 2].map(|connection| master.open(connection));
    assert_ne!(one, other);
    let [first, second] = [(1, one), (2, other)].map(|(at, session)| master.take(at, session, 1));
    let actions = master.complete(second, "second");
    assert_eq!(only_replies(&actions, 2), [(1, OutcomeCode::Ok)]);
    let actions = master.complete(first, "first");
    assert_eq!(only_replies(&actions, 1), [(1, OutcomeCode::Ok)]);
}

#[test]
fn a_client_that_comes_back_within_the_grace_finds_its_jobs_and_replies() {
    let mut master = Driven::new();
    let session = master.open(1);
    let [done, running] = [1, 2].map(|sequence| master.take(1, session, sequence));
    assert_eq!(master.lose(1), []);
    assert_eq!(master.complete(done, "done"), [], "there is nobody to tell");
    assert_eq!(cancelled(&master.pass(GRACE - Duration::from_nanos(1))), []);

    let actions = master.receive(2, open(session, 0));
    let [(2, same, terms)] = opened(&actions)[..] else {
        panic!("{actions:?}");
    };
    assert_eq!((same, terms.submitted), (session, 2));
    assert_eq!(replies(&actions)[0].1.sequence, 1);
    assert_eq!((submitted(&actions), cancelled(&actions)), (vec![], vec![]));
    let actions = master.complete(running, "done, too");
    assert_eq!(only_replies(&actions, 2), [(2, OutcomeCode::Ok)]);
    assert_eq!(master.core.counters().resumed, 1);
}

#[test]
fn replies_that_were_received_are_not_sent_again() {
    let mut master = Driven::new();
    let session = master.open(1);
    for sequence in 1..=3 {
        let job = master.take(1, session, sequence);
        master.complete(job, "done");
    }
    master.receive(1, heartbeat(session, 1));
    master.lose(1);
    let actions = master.receive(2, open(session, 2));
    let again: Vec<_> = (replies(&actions).iter())
        .map(|(_, reply)| reply.sequence)
        .collect();
    assert_eq!(again, [3]);
}

#[test]
fn a_session_ends_with_the_grace_and_its_jobs_with_it() {
    let mut master = Driven::new();
    let session = master.open(1);
    let jobs = [1, 2].map(|sequence| master.take(1, session, sequence));
    master.lose(1);
    assert_eq!(cancelled(&master.pass(GRACE)), jobs);
    assert_eq!(master.core.jobs(), 0);
    let counters = master.core.counters();
    assert_eq!((counters.expired, counters.abandoned), (1, 2));

    let actions = master.receive(2, open(session, 0));
    let [(2, new, terms)] = opened(&actions)[..] else {
        panic!("{actions:?}");
    };
    assert_ne!(new, session);
    assert_eq!(terms.submitted, 0);
    assert_eq!(replies(&actions), []);
}

#[test]
fn the_grace_begins_anew_with_each_connection_that_is_lost() {
    let mut master = Driven::new();
    let session = master.open(1);
    for connection in 1..10 {
        master.lose(connection);
        assert_eq!(
            cancelled(&master.pass(GRACE - Duration::from_millis(1))),
            []
        );
        let actions = master.receive(connection + 1, open(session, 0));
        assert_eq!(opened(&actions)[0].1, session);
    }
}

#[test]
fn a_client_that_is_silent_for_longer_than_the_grace_loses_its_session() {
    let mut master = Driven::new();
    let session = master.open(1);
    let job = master.take(1, session, 1);
    let limit = HEARTBEAT * MISSES + GRACE;
    assert_eq!(master.pass(limit - Duration::from_nanos(1)), []);
    let reason = DisconnectReason::Silent;
    assert_eq!(
        master.pass(Duration::from_nanos(1)),
        [
            sent(1, ToClient::Disconnect { session, reason }),
            FrontendAction::Cancel { ticket: job },
        ]
    );
}

#[test]
fn a_client_that_pings_keeps_its_session() {
    let mut master = Driven::new();
    let session = master.open(1);
    master.pass_pinging(GRACE * 10, 1, session);
    assert_eq!(master.core.clients(master.now).len(), 1);
    assert_eq!(master.core.counters().expired, 0);
}

#[test]
fn time_in_which_the_master_was_stopped_is_nobodys_silence() {
    let mut master = Driven::new();
    let [away, silent] = [1, 2].map(|connection| master.open(connection));
    master.lose(1);
    master.now = master.now + GRACE * 100;
    assert_eq!(master.handle(FrontendEvent::Tick), []);
    for (connection, session) in [(3, away), (4, silent)] {
        let actions = master.receive(connection, open(session, 0));
        assert_eq!(opened(&actions)[0].1, session);
    }
}

#[test]
fn a_session_with_a_reply_that_is_not_kept_cannot_be_resumed() {
    let mut master = Driven::new();
    let session = master.open(1);
    for sequence in 1..=MAX_JOBS as u64 + 1 {
        let job = master.take(1, session, sequence);
        master.complete(job, "done");
    }
    let left = master.take(1, session, 100);
    master.lose(1);
    let actions = master.receive(2, open(session, 0));
    assert_ne!(opened(&actions)[0].1, session);
    assert_eq!(cancelled(&actions), [left]);
}

#[test]
fn a_client_that_claims_more_replies_than_there_were_is_not_believed() {
    let mut master = Driven::new();
    let session = master.open(1);
    let job = master.take(1, session, 1);
    master.receive(1, heartbeat(session, 1000));
    master.complete(job, "done");
    master.lose(1);
    let actions = master.receive(2, open(session, 2));
    assert_ne!(opened(&actions)[0].1, session);
}

#[test]
fn a_session_that_moved_is_not_known_over_its_old_connection() {
    let mut master = Driven::new();
    let session = master.open(1);
    let actions = master.receive(2, open(session, 0));
    assert_eq!(opened(&actions)[0].1, session);
    let actions = master.submit(1, session, 1);
    let reason = RejectReason::UnknownSession;
    assert_eq!(rejected(&actions), [(1, session, reason)]);
    assert_eq!(master.lose(1), []);
    master.take(2, session, 1);
}

#[test]
fn a_connection_that_resumes_another_session_leaves_its_own() {
    let mut master = Driven::new();
    let [one, other] = [1, 2].map(|connection| master.open(connection));
    let [kept, left] = [(1, one), (2, other)].map(|(at, session)| master.take(at, session, 1));
    let actions = master.receive(2, open(one, 0));
    assert_eq!(opened(&actions)[0].1, one);
    assert_eq!(cancelled(&actions), [left]);
    let actions = master.complete(kept, "done");
    assert_eq!(only_replies(&actions, 2), [(1, OutcomeCode::Ok)]);
}

#[test]
fn clients_beyond_the_limit_are_refused_and_those_that_come_back_are_not() {
    let mut master = Driven::new();
    let first = master.open(1);
    for connection in 2..=3 {
        master.open(connection);
    }
    let reason = RejectReason::TooManyClients;
    assert_eq!(rejected(&master.receive(4, open(0, 0))), [(4, 0, reason)]);
    master.lose(1);
    assert_eq!(rejected(&master.receive(4, open(0, 0))), [(4, 0, reason)]);
    let actions = master.receive(5, open(first, 0));
    assert_eq!(opened(&actions)[0].1, first);
    let leave = FromClient::Disconnect {
        session: first,
        reason: DisconnectReason::Shutdown,
    };
    master.receive(5, leave);
    master.open(4);
}

#[test]
fn a_master_that_drains_finishes_what_it_has_and_takes_nothing_more() {
    let mut master = Driven::new();
    let [session, away] = [1, 2].map(|connection| master.open(connection));
    let job = master.take(1, session, 1);
    master.lose(2);
    let actions = master.handle(FrontendEvent::Drain);
    assert_eq!(actions, [sent(1, ToClient::Drain { session })]);
    assert_eq!(master.handle(FrontendEvent::Drain), [], "it was said");

    let started = crate::error::Started::No;
    let refused = ExecuteError::ShuttingDown { started };
    assert_eq!(failed(&master.submit(1, session, 2)), refused);
    let reason = RejectReason::Draining;
    assert_eq!(rejected(&master.receive(3, open(0, 0))), [(3, 0, reason)]);
    let actions = master.receive(4, open(away, 0));
    assert_eq!(opened(&actions)[0].1, away);
    assert_eq!(
        actions.last(),
        Some(&sent(4, ToClient::Drain { session: away }))
    );

    let actions = master.complete(job, "done");
    assert_eq!(only_replies(&actions, 1), [(1, OutcomeCode::Ok)]);
    let reason = DisconnectReason::Shutdown;
    let farewells = master.handle(FrontendEvent::Finish);
    for (connection, session) in [(1, session), (4, away)] {
        let farewell = sent(connection, ToClient::Disconnect { session, reason });
        assert!(farewells.contains(&farewell), "{farewells:?}");
    }
    assert_eq!(master.core.clients(master.now).len(), 0);
}

#[test]
fn a_frontend_without_clients_need_not_be_woken() {
    let mut master = Driven::new();
    let session = master.open(1);
    master.lose(1);
    master.pass(GRACE * 2);
    assert_eq!(master.core.next_deadline(), None);
    let actions = master.receive(2, heartbeat(session, 0));
    assert_eq!(rejected(&actions).len(), 1);
    assert_eq!(master.core.next_deadline(), None);
}
