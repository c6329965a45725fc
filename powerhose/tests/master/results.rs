use powerhose::wire::{JobKey, ResultCode};
use powerhose::{ExecuteError, Fault, Started};

use super::support::{Bench, Player, ms};

#[test]
fn a_result_is_the_outcome_and_frees_the_slot() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let ticket = bench.submit_plain();
    let job = bench.job();
    bench.finish(worker, job.key, ms(2));
    assert_eq!(bench.outcome(ticket).expect("a result"), "result");
    bench.submit_plain();
    assert_eq!(bench.job().session, worker.session);
}

#[test]
fn a_second_result_is_dropped() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    bench.submit_plain();
    let job = bench.job();
    bench.finish(worker, job.key, ms(2));
    bench.take();
    bench.finish(worker, job.key, ms(2));
    assert_eq!(bench.take(), []);
    assert_eq!(bench.master.stats().counters.stale_results, 1);
}

#[test]
fn a_result_of_another_attempt_or_job_is_dropped() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    bench.submit_plain();
    let key = bench.job().key;
    let attempt = key.attempt + 1;
    bench.finish(worker, JobKey { attempt, ..key }, ms(2));
    let job = key.job + 1;
    bench.finish(worker, JobKey { job, ..key }, ms(2));
    assert_eq!(bench.outcomes(), []);
    assert_eq!(bench.master.stats().counters.stale_results, 2);
}

#[test]
fn a_result_of_another_session_is_dropped() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let idle = bench.worker();
    bench.submit_plain();
    let job = bench.job();
    assert_eq!(job.session, worker.session);
    bench.finish(idle, job.key, ms(2));
    let session = worker.session ^ 1;
    bench.finish(Player { session, ..worker }, job.key, ms(2));
    assert_eq!(bench.outcomes(), []);
    let counters = bench.master.stats().counters;
    assert_eq!((counters.stale_results, counters.unknown_sessions), (1, 1));
}

#[test]
fn an_attempt_handed_back_does_not_count() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let mut new = bench.new_job();
    new.at_most_once = true;
    let ticket = bench.submit(new);
    for attempt in 1..=5 {
        let job = bench.job();
        assert_eq!(job.key.attempt, attempt);
        bench.return_job(worker, job.key);
    }
    let job = bench.job();
    bench.finish(worker, job.key, ms(1));
    bench.outcome(ticket).expect("a result");
}

#[test]
fn a_worker_that_hands_back_for_ever_does_not_keep_the_job_for_ever() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let ticket = bench.submit_plain();
    let mut sent = 0;
    while let [job] = &bench.jobs()[..] {
        sent += 1;
        assert!(sent < 256, "numbers of attempts end at 255");
        let key = job.key;
        bench.take();
        bench.return_job(worker, key);
        if bench.master.stats().jobs == 0 {
            break;
        }
    }
    assert!(matches!(
        bench.outcome(ticket),
        Err(ExecuteError::WorkerLost { .. })
    ));
}

#[test]
fn what_the_handler_says_reaches_the_caller() {
    let outcome = |code| {
        let mut bench = Bench::new();
        let worker = bench.worker();
        let ticket = bench.submit_plain();
        let job = bench.job();
        bench.result(worker, job.key, code, "why".into());
        bench.outcome(ticket).expect_err("a failure")
    };
    let message = || "why".into();
    assert_eq!(
        outcome(ResultCode::Failed),
        ExecuteError::Failed { message: message() }
    );
    assert_eq!(
        outcome(ResultCode::Panicked),
        ExecuteError::Panicked { message: message() }
    );
    assert_eq!(outcome(ResultCode::Overrun), ExecuteError::Overrun);
    assert_eq!(outcome(ResultCode::Cancelled), ExecuteError::Abandoned);
    let too_large = outcome(ResultCode::TooLarge);
    assert!(matches!(
        too_large,
        ExecuteError::TooLarge { what: "result", .. }
    ));
    assert_eq!(too_large.fault(), Fault::Worker);
    let started = Started::No;
    assert_eq!(
        outcome(ResultCode::Expired),
        ExecuteError::DeadlineExceeded { started }
    );
}

#[test]
fn a_worker_that_denies_its_own_service_is_not_asked_for_ever() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let ticket = bench.submit_plain();
    for _ in 0..3 {
        let job = bench.job();
        bench.result(worker, job.key, ResultCode::UnknownService, "".into());
    }
    assert!(matches!(
        bench.outcome(ticket),
        Err(ExecuteError::NoWorkers { .. })
    ));
}
