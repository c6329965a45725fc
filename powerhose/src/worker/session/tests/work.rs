use super::*;
use crate::wire::limits::DEFAULT_MAX_PREFETCH;

#[test]
fn a_job_is_started_with_everything_it_came_with() {
    let mut worker = Driven::active(config(1));
    worker.pass(Duration::from_millis(300));
    let outputs = worker.message(ToWorker::Job {
        session: SESSION,
        key: JobKey { job: 9, attempt: 2 },
        service: 1,
        budget_ms: 250,
        body: Bytes::from_static(b"payload"),
        metadata: Some(Bytes::from_static(b"trace")),
    });
    let job = Assignment {
        key: JobKey { job: 9, attempt: 2 },
        service: 1,
        deadline: Time::ZERO + Duration::from_millis(550),
        body: Bytes::from_static(b"payload"),
        metadata: Some(Bytes::from_static(b"trace")),
    };
    assert_eq!(outputs, [Output::Start { slot: 0, job }]);
    assert_eq!(
        worker.hand_in(Input::Finished {
            slot: 0,
            code: ResultCode::Failed,
            elapsed: Duration::from_millis(7),
            body: Bytes::from_static(b"why"),
        }),
        [sent(FromWorker::Result {
            session: SESSION,
            key: JobKey { job: 9, attempt: 2 },
            code: ResultCode::Failed,
            elapsed_us: 7000,
            body: Bytes::from_static(b"why"),
        })]
    );
}

#[test]
fn jobs_beyond_the_slots_wait_for_one_in_order() {
    let mut worker = Driven::active(config(2));
    let mut outputs = Vec::new();
    for job in 1..=5 {
        outputs.extend(worker.job(job));
    }
    assert_eq!(started(&outputs), [(0, 1), (1, 2)]);
    let outputs = worker.finished(1);
    assert_eq!(outputs[0], done(2));
    assert_eq!(started(&outputs), [(1, 3)]);
    assert_eq!(started(&worker.finished(0)), [(0, 4)]);
    assert_eq!(started(&worker.finished(0)), [(0, 5)]);
    assert_eq!(worker.finished(0), [done(5)]);
    assert_eq!(worker.finished(1), [done(3)]);
}

#[test]
fn a_job_whose_time_is_up_is_not_started() {
    let mut worker = Driven::active(config(1));
    worker.job(1);
    worker.job_within(2, Duration::from_millis(100));
    worker.job_within(3, Duration::from_millis(101));
    worker.pass(Duration::from_millis(100));
    let outputs = worker.finished(0);
    assert_eq!(outputs[..2], [done(1), not_started(2, ResultCode::Expired)]);
    assert_eq!(started(&outputs), [(0, 3)]);
    assert_eq!(worker.counters().expired, 1);
}

#[test]
fn a_job_that_waits_can_be_cancelled() {
    let mut worker = Driven::active(config(1));
    worker.job(1);
    worker.job(2);
    worker.job(3);
    for (job, reason, code) in [
        (2, CancelReason::Caller, ResultCode::Cancelled),
        (3, CancelReason::Recalled, ResultCode::Returned),
    ] {
        assert_eq!(worker.cancel(job, reason), [not_started(job, code)]);
        assert_eq!(worker.cancel(job, reason), [], "it is gone");
    }
    assert_eq!(worker.finished(0), [done(1)]);
}

#[test]
fn a_job_that_runs_is_told_of_its_cancellation_once_and_still_answered() {
    for reason in [
        CancelReason::Caller,
        CancelReason::Deadline,
        CancelReason::Superseded,
    ] {
        let mut worker = Driven::active(config(1));
        worker.job(1);
        assert_eq!(worker.cancel(1, reason), [Output::Cancel { slot: 0 }]);
        assert_eq!(worker.cancel(1, reason), []);
        assert_eq!(worker.finished(0), [done(1)]);
    }
}

#[test]
fn a_job_that_runs_cannot_be_recalled() {
    let mut worker = Driven::active(config(1));
    worker.job(1);
    assert_eq!(worker.cancel(1, CancelReason::Recalled), []);
    assert_eq!(worker.finished(0), [done(1)]);
}

#[test]
fn another_attempt_is_another_job() {
    let mut worker = Driven::active(config(1));
    worker.job(1);
    let key = JobKey { job: 1, attempt: 2 };
    assert_eq!(
        worker.message(ToWorker::Cancel {
            session: SESSION,
            key,
            reason: CancelReason::Caller
        }),
        []
    );
}

#[test]
fn a_repeated_attempt_is_dropped_while_it_runs_and_after() {
    let mut worker = Driven::active(config(2));
    worker.job(1);
    assert_eq!(worker.job(1), []);
    worker.finished(0);
    assert_eq!(worker.job(1), []);
    assert_eq!(worker.counters().duplicates, 2);
}

#[test]
fn what_was_handed_back_is_not_started_if_it_is_delivered_once_more() {
    let mut worker = Driven::active(config(1));
    worker.job(1);
    worker.job(2);
    worker.cancel(2, CancelReason::Recalled);
    worker.finished(0);
    assert_eq!(worker.job(2), []);
    assert_eq!(worker.counters().duplicates, 1);
}

#[test]
fn jobs_beyond_the_bound_are_handed_back() {
    let mut worker = Driven::active(config(1));
    let bound = 1 + u64::from(DEFAULT_MAX_PREFETCH);
    worker.job(0);
    for job in 1..=bound {
        assert_eq!(worker.job(job), []);
    }
    let over = bound + 1;
    assert_eq!(worker.job(over), [not_started(over, ResultCode::Returned)]);
    assert_eq!(worker.counters().overflowed, 1);
}

#[test]
fn a_service_that_was_not_registered_is_refused() {
    let mut worker = Driven::active(config(1));
    let outputs = worker.message(ToWorker::Job {
        session: SESSION,
        key: key(1),
        service: 2,
        budget_ms: 1000,
        body: Bytes::new(),
        metadata: None,
    });
    assert_eq!(outputs, [not_started(1, ResultCode::UnknownService)]);
}

#[test]
fn a_result_above_the_limit_is_not_sent() {
    let mut worker = Driven::active(config(1));
    for (job, len, code) in [
        (1, MAX_BODY, ResultCode::Ok),
        (2, MAX_BODY + 1, ResultCode::TooLarge),
    ] {
        worker.job(job);
        let outputs = worker.hand_in(Input::Finished {
            slot: 0,
            code: ResultCode::Ok,
            elapsed: Duration::ZERO,
            body: Bytes::from(vec![0; len]),
        });
        let expected = if code == ResultCode::Ok { len } else { 0 };
        assert!(matches!(
            &outputs[..],
            [Output::Send(FromWorker::Result { code: got, body, .. })] if *got == code && body.len() == expected
        ));
    }
}

#[test]
fn a_slot_that_does_nothing_cannot_be_done() {
    let mut worker = Driven::active(config(1));
    assert_eq!(worker.finished(0), []);
    assert_eq!(worker.finished(7), []);
}

#[test]
fn an_overrun_is_reported_once_for_each_job() {
    let overrun = Some(Duration::from_millis(500));
    let mut worker = Driven::active(SessionConfig {
        overrun,
        ..config(2)
    });
    let reports = |outputs: Vec<Output>| {
        let report = |output: &Output| match output {
            Output::Overrun { key, running, .. } => Some((key.job, *running)),
            _ => None,
        };
        outputs.iter().filter_map(report).collect::<Vec<_>>()
    };
    worker.job(1);
    worker.pass(Duration::from_millis(200));
    worker.job(2);
    let outputs = worker.pass(Duration::from_millis(400));
    assert_eq!(reports(outputs), [(1, Duration::from_millis(500))]);
    worker.finished(1);
    worker.job(3);
    assert_eq!(reports(worker.pass(Duration::from_millis(499))), []);
    assert_eq!(
        reports(worker.pass(Duration::from_millis(400))),
        [(3, Duration::from_millis(500))]
    );
}

#[test]
fn a_worker_without_an_overrun_limit_watches_nothing() {
    let mut worker = Driven::active(config(1));
    worker.job_within(1, Duration::from_secs(3600));
    for _ in 0..600 {
        let outputs = worker.pass(HEARTBEAT);
        assert!(
            !outputs
                .iter()
                .any(|output| matches!(output, Output::Overrun { .. }))
        );
        worker.heartbeat();
    }
}
