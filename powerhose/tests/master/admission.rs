use std::time::Duration;

use powerhose::master::Config;
use powerhose::{Bytes, ExecuteError, Fault, Started};

use super::support::{Bench, ms};

fn overloaded(result: Result<Bytes, ExecuteError>) -> Duration {
    match result {
        Err(error @ ExecuteError::Overloaded { retry_after }) => {
            assert_eq!(
                (error.fault(), error.started()),
                (Fault::Operator, Started::No)
            );
            retry_after
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_queue_holds_as_many_jobs_as_it_is_set_to_and_no_more() {
    let mut bench = Bench::with(Config {
        max_queue_jobs: 3,
        ..Config::default()
    });
    bench.worker();
    for _ in 0..4 {
        bench.submit_plain();
    }
    assert_eq!(bench.outcomes(), [], "one is at the worker, three wait");
    let ticket = bench.submit_plain();
    overloaded(bench.outcome(ticket));
    assert_eq!(bench.master.stats().waiting, 3);
}

#[test]
fn the_queue_holds_as_many_bytes_as_it_is_set_to_and_no_more() {
    let mut bench = Bench::with(Config {
        max_queue_bytes: 100,
        ..Config::default()
    });
    let submit = |bench: &mut Bench, len: usize| {
        let mut new = bench.new_job();
        new.body = vec![0; len].into();
        bench.submit(new)
    };
    submit(&mut bench, 60);
    submit(&mut bench, 40);
    assert_eq!(bench.outcomes(), []);
    let ticket = submit(&mut bench, 1);
    overloaded(bench.outcome(ticket));
    assert_eq!(bench.master.stats().waiting_bytes, 100);
}

#[test]
fn what_does_not_fit_into_the_queue_may_go_straight_to_a_free_worker() {
    let mut bench = Bench::with(Config {
        max_queue_bytes: 10,
        max_queue_jobs: 0,
        ..Config::default()
    });
    bench.worker();
    bench.take();
    let mut new = bench.new_job();
    new.body = vec![0; 1000].into();
    bench.submit(new);
    assert_eq!(bench.jobs().len(), 1);
    let mut new = bench.new_job();
    new.body = vec![0; 1000].into();
    let ticket = bench.submit(new);
    overloaded(bench.outcome(ticket));
}

#[test]
fn a_job_that_cannot_be_done_in_time_is_refused_at_once() {
    let mut bench = Bench::new();
    bench.measured_worker(1, ms(100));
    for _ in 0..11 {
        bench.submit_plain();
    }
    // Ten wait: that is one second of work.
    let mut new = bench.new_job();
    new.deadline = bench.now + ms(600);
    let ticket = bench.submit(new);
    let retry_after = overloaded(bench.outcome(ticket));
    assert!(
        ms(300) <= retry_after && retry_after <= ms(500),
        "{retry_after:?}"
    );
    let mut new = bench.new_job();
    new.deadline = bench.now + ms(1500);
    bench.submit(new);
    assert_eq!(bench.outcomes(), []);
    assert_eq!(bench.master.stats().counters.overloaded, 1);
}

#[test]
fn nothing_is_refused_for_lack_of_a_worker() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        let mut new = bench.new_job();
        new.deadline = bench.now + ms(5);
        bench.submit(new);
    }
    assert_eq!(bench.outcomes(), []);
}

#[test]
fn a_payload_beyond_the_limit_is_the_callers_fault() {
    let mut bench = Bench::with(Config {
        max_body: 10,
        ..Config::default()
    });
    let mut new = bench.new_job();
    new.body = vec![0; 11].into();
    let ticket = bench.submit(new);
    let error = bench.outcome(ticket).expect_err("too large");
    assert_eq!(error.code(), "too-large");
    assert_eq!(
        (error.fault(), error.started()),
        (Fault::Caller, Started::No)
    );
}

#[test]
fn a_name_that_cannot_be_a_service_is_refused() {
    let mut bench = Bench::new();
    for name in ["with space", "ümlaut", &"x".repeat(65)] {
        let mut new = bench.new_job();
        new.service = name.into();
        let ticket = bench.submit(new);
        let error = bench.outcome(ticket).expect_err("no name");
        assert_eq!(error.code(), "invalid-service");
    }
}
