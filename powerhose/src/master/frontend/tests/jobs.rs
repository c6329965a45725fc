use std::time::Duration;

use super::*;
use crate::error::Started;
use crate::wire::DisconnectReason;
use crate::wire::limits::MAX_METADATA;

fn with(
    master: &mut Driven,
    session: u64,
    change: impl FnOnce(&mut Submit),
) -> Vec<FrontendAction> {
    let mut submit = submit(1);
    change(&mut submit);
    master.receive(1, FromClient::Submit { session, submit })
}

#[test]
fn a_job_is_handed_to_the_core_as_its_client_wants_it() {
    let mut master = Driven::new();
    let session = master.open(1);
    master.pass(Duration::from_millis(100));
    let actions = with(&mut master, session, |submit| {
        submit.budget_ms = 2500;
        submit.attempts = 2;
        submit.at_most_once = true;
        submit.attempt_timeout_ms = Some(700);
        submit.metadata = Some(Bytes::from_static(b"trace"));
    });
    let [(ticket, job)] = submitted(&actions)[..] else {
        panic!("{actions:?}");
    };
    assert!(ticket.is_of_frontend());
    assert_eq!(
        *job,
        NewJob {
            service: "hash".into(),
            body: Bytes::from_static(b"twenty bytes of body"),
            metadata: Some(Bytes::from_static(b"trace")),
            deadline: Time::ZERO + Duration::from_millis(2600),
            attempt_timeout: Some(Duration::from_millis(700)),
            attempts: 2,
            at_most_once: true,
            client: 1,
        }
    );
}

#[test]
fn a_job_has_one_reply_with_its_outcome() {
    let mut master = Driven::new();
    let session = master.open(1);
    let [good, bad] = [1, 2].map(|sequence| master.take(1, session, sequence));
    let actions = master.complete(good, "done");
    let [(1, reply)] = replies(&actions)[..] else {
        panic!("{actions:?}");
    };
    let outcome = reply.clone().into_outcome("hash");
    assert_eq!(outcome, Ok(Bytes::from_static(b"done")));
    assert_eq!(master.complete(good, "again"), []);

    let lost = ExecuteError::WorkerLost { attempts: 2 };
    let actions = master.handle(FrontendEvent::Completed {
        ticket: bad,
        result: Err(lost.clone()),
    });
    assert_eq!(failed(&actions), lost);
    assert_eq!(master.core.jobs(), 0);
}

#[test]
fn a_number_that_does_not_rise_is_dropped_and_counted() {
    let mut master = Driven::new();
    let session = master.open(1);
    let job = master.take(1, session, 5);
    assert_eq!(master.submit(1, session, 5), []);
    assert_eq!(master.submit(1, session, 4), []);
    assert_eq!(master.submit(1, session, 0), []);
    master.complete(job, "done");
    assert_eq!(master.submit(1, session, 5), [], "it is done");
    assert_eq!(master.core.counters().duplicates, 4);
    master.take(1, session, 9);
}

#[test]
fn a_client_gets_as_many_jobs_as_its_terms_say() {
    let mut master = Driven::new();
    let session = master.open(1);
    let other = master.open(2);
    let jobs = [1, 2, 3].map(|sequence| master.take(1, session, sequence));
    let refused = failed(&master.submit(1, session, 4));
    assert!(
        matches!(refused, ExecuteError::Overloaded { .. }),
        "{refused:?}"
    );
    master.take(2, other, 1);
    master.complete(jobs[1], "done");
    master.take(1, session, 5);
}

#[test]
fn a_client_gets_as_many_bytes_as_its_terms_say_but_one_job_in_any_case() {
    let mut master = Driven::new();
    master.core.set_limits(MAX_JOBS, 30);
    let session = master.open(1);
    let large = |submit: &mut Submit| submit.body = Bytes::from(vec![0; MAX_BODY]);
    let actions = with(&mut master, session, large);
    let (ticket, _) = submitted(&actions)[0];
    let refused = failed(&master.submit(1, session, 2));
    assert!(
        matches!(refused, ExecuteError::Overloaded { .. }),
        "{refused:?}"
    );
    master.complete(ticket, "done");
    master.take(1, session, 3);
}

#[test]
fn what_is_too_large_has_a_reply_that_says_so() {
    let mut master = Driven::new();
    let session = master.open(1);
    let actions = with(&mut master, session, |submit| {
        submit.body = Bytes::from(vec![0; MAX_BODY + 1]);
    });
    let (what, limit) = ("payload", MAX_BODY);
    assert_eq!(failed(&actions), ExecuteError::TooLarge { what, limit });
    let actions = with(&mut master, session, |submit| {
        submit.sequence = 2;
        submit.metadata = Some(Bytes::from(vec![0; MAX_METADATA + 1]));
    });
    let (what, limit) = ("metadata", MAX_METADATA);
    assert_eq!(failed(&actions), ExecuteError::TooLarge { what, limit });
    assert_eq!(master.core.jobs(), 0);
}

#[test]
fn a_job_that_is_withdrawn_is_taken_back_and_has_its_reply() {
    let mut master = Driven::new();
    let session = master.open(1);
    let ticket = master.take(1, session, 1);
    let withdraw = |sequence| FromClient::Withdraw { session, sequence };
    let actions = master.receive(1, withdraw(1));
    assert_eq!(actions[0], FrontendAction::Cancel { ticket });
    assert_eq!(
        only_replies(&actions[1..], 1),
        [(1, OutcomeCode::Withdrawn)]
    );
    assert_eq!(
        master.receive(1, withdraw(1)),
        [],
        "its reply is on the way"
    );
    assert_eq!(master.receive(1, withdraw(77)), [], "there is none");
    assert_eq!(master.complete(ticket, "too late"), []);
}

#[test]
fn an_outcome_that_crosses_a_withdrawal_is_not_taken_for_the_next_jobs() {
    let mut master = Driven::new();
    let session = master.open(1);
    let withdrawn = master.take(1, session, 1);
    master.receive(
        1,
        FromClient::Withdraw {
            session,
            sequence: 1,
        },
    );
    let next = master.take(1, session, 2);
    assert_ne!(next, withdrawn);
    assert_eq!(master.complete(withdrawn, "of the first"), []);
    let actions = master.complete(next, "of the second");
    assert_eq!(replies(&actions)[0].1.body, "of the second");
}

#[test]
fn an_outcome_for_a_client_that_left_is_not_given_to_another_one() {
    let mut master = Driven::new();
    let [session, other] = [1, 2].map(|connection| master.open(connection));
    let left = master.take(1, session, 1);
    let reason = DisconnectReason::Shutdown;
    let actions = master.receive(1, FromClient::Disconnect { session, reason });
    assert_eq!(actions, [FrontendAction::Cancel { ticket: left }]);
    let job = master.take(2, other, 1);
    assert_eq!(master.complete(left, "secret"), []);
    let actions = master.complete(job, "harmless");
    assert_eq!(replies(&actions)[0].1.body, "harmless");
}

#[test]
fn replies_are_kept_within_the_bounds() {
    let mut master = Driven::new();
    let session = master.open(1);
    for sequence in 1..=20 {
        let job = master.take(1, session, sequence);
        master.complete(job, "a result of thirty bytes and so");
    }
    let kept = master.core.clients(master.now)[0].kept;
    assert_eq!(kept, 1, "two of them are larger than the bound");
    let counters = master.core.counters();
    assert_eq!((counters.submitted, counters.replied), (20, 20));
}

#[test]
fn jobs_beyond_a_limit_that_was_lowered_stay_and_no_more_are_taken() {
    let mut master = Driven::new();
    let session = master.open(1);
    let jobs = [1, 2, 3].map(|sequence| master.take(1, session, sequence));
    master.core.set_limits(1, MAX_BYTES);
    let refused = |actions: Vec<_>| matches!(failed(&actions), ExecuteError::Overloaded { .. });
    assert!(refused(master.submit(1, session, 4)));
    for job in jobs {
        assert!(refused(master.submit(1, session, 5 + job.0)));
        assert_eq!(replies(&master.complete(job, "done")).len(), 1);
    }
    master.take(1, session, u64::MAX);
}

#[test]
fn a_job_whose_service_nobody_knows_gets_what_the_core_says_of_it() {
    let mut master = Driven::new();
    let session = master.open(1);
    let ticket = master.take(1, session, 1);
    let service = "hash".to_owned();
    let result = Err(ExecuteError::NoWorkers { service });
    let actions = master.handle(FrontendEvent::Completed { ticket, result });
    let error = failed(&actions);
    assert_eq!(error.started(), Started::No);
    assert!(matches!(error, ExecuteError::NoWorkers { .. }), "{error:?}");
}
