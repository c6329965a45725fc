use std::time::Duration;

use powerhose::master::{Action, WorkerState};
use powerhose::wire::{CancelReason, Register, ResultCode};
use powerhose::{ExecuteError, Started};

use super::support::{Bench, ms, registration};

#[test]
fn a_job_that_waits_too_long_for_a_busy_worker_fails_unstarted() {
    let mut bench = Bench::new();
    bench.worker();
    bench.submit_plain();
    let mut new = bench.new_job();
    new.deadline = bench.now + ms(100);
    let ticket = bench.submit(new);
    bench.take();
    bench.advance(ms(99));
    assert_eq!(bench.take(), []);
    bench.advance(ms(1));
    let started = Started::No;
    assert_eq!(
        bench.outcome(ticket),
        Err(ExecuteError::DeadlineExceeded { started })
    );
    assert_eq!(bench.master.stats().counters.expired_at_master, 1);
}

#[test]
fn a_job_without_any_worker_fails_as_such_after_the_wait() {
    let mut bench = Bench::new();
    let mut new = bench.new_job();
    new.service = "nobody".into();
    new.deadline = bench.now + ms(100);
    let ticket = bench.submit(new);
    assert_eq!(bench.take(), [], "not before the wait is over");
    bench.advance(ms(100));
    let service = "nobody".into();
    assert_eq!(
        bench.outcome(ticket),
        Err(ExecuteError::NoWorkers { service })
    );
}

#[test]
fn a_handler_that_gives_up_at_the_deadline_has_not_given_up_early() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let mut new = bench.new_job();
    new.deadline = bench.now + ms(100);
    let ticket = bench.submit(new);
    let job = bench.job();
    // Its answer is read first, because what has arrived comes before the time.
    bench.now = bench.now + ms(100);
    bench.result(worker, job.key, ResultCode::Cancelled, "".into());
    let started = Started::Maybe;
    assert_eq!(
        bench.outcome(ticket),
        Err(ExecuteError::DeadlineExceeded { started })
    );
}

#[test]
fn a_job_that_is_late_at_its_worker_fails_and_the_worker_is_told() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let mut new = bench.new_job();
    new.deadline = bench.now + ms(100);
    let ticket = bench.submit(new);
    let job = bench.job();
    bench.advance(ms(100));
    let actions = bench.take();
    assert_eq!(actions.len(), 2, "{actions:?}");
    let cancelled = format!("{:?}", actions[0]);
    assert!(
        cancelled.contains("Cancel") && cancelled.contains("Deadline"),
        "{cancelled}"
    );
    let complete = Action::Complete {
        ticket,
        result: Err(ExecuteError::DeadlineExceeded {
            started: Started::Maybe,
        }),
    };
    assert_eq!(actions[1], complete);
    assert_eq!(
        bench.master.worker_state(worker.session),
        Some(WorkerState::Laggy)
    );
    bench.finish(worker, job.key, ms(120));
    assert_eq!(bench.take(), [], "the late result is dropped");
    assert_eq!(bench.master.stats().counters.late_results, 1);
    assert_eq!(
        bench.master.worker_state(worker.session),
        Some(WorkerState::Active)
    );
}

#[test]
fn a_job_out_of_time_is_not_sent() {
    let mut bench = Bench::new();
    let mut new = bench.new_job();
    new.deadline = bench.now;
    let ticket = bench.submit(new);
    bench.worker();
    let outcomes = bench.outcomes();
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].0, ticket);
    assert_eq!(bench.master.stats().counters.dispatched, 0);
}

#[test]
fn a_worker_that_finds_a_job_out_of_time_ends_it() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let ticket = bench.submit_plain();
    let job = bench.job();
    bench.result(worker, job.key, ResultCode::Expired, "".into());
    let started = Started::No;
    assert_eq!(
        bench.outcome(ticket),
        Err(ExecuteError::DeadlineExceeded { started })
    );
    assert_eq!(bench.master.stats().counters.expired_at_worker, 1);
}

#[test]
fn an_attempt_that_takes_too_long_goes_to_another_worker() {
    let mut bench = Bench::new();
    let slow = bench.worker();
    let mut new = bench.new_job();
    new.attempt_timeout = Some(ms(100));
    let ticket = bench.submit(new);
    let first = bench.job();
    let other = bench.worker();
    bench.take();
    bench.advance(ms(100));
    let actions = bench.take();
    assert!(
        format!("{:?}", actions[0]).contains("Superseded"),
        "{actions:?}"
    );
    assert_eq!(actions.len(), 2);
    assert_eq!(
        bench.master.worker_state(slow.session),
        Some(WorkerState::Laggy)
    );
    let mut again = first.key;
    again.attempt = 2;
    bench.finish(slow, first.key, ms(110));
    assert_eq!(bench.outcomes(), [], "too late");
    bench.finish(other, again, ms(10));
    bench.outcome(ticket).expect("a result");
}

#[test]
fn a_laggy_worker_gets_nothing_until_it_answers_whatever_slots_it_has() {
    let mut bench = Bench::new();
    let slow = bench.worker_with(Register {
        slots: 4,
        ..registration()
    });
    let mut new = bench.new_job();
    new.attempt_timeout = Some(ms(100));
    bench.submit(new);
    let first = bench.job();
    bench.advance(ms(100));
    assert_eq!(
        bench.cancels(),
        [(slow.peer, first.key, CancelReason::Superseded)]
    );
    bench.submit_plain();
    assert_eq!(bench.take(), []);
    bench.finish(slow, first.key, ms(150));
    assert_eq!(bench.jobs().len(), 2);
}

#[test]
fn attempts_that_all_take_too_long_end_the_job() {
    let mut bench = Bench::new();
    let mut new = bench.new_job();
    new.attempt_timeout = Some(ms(100));
    new.attempts = 2;
    let ticket = bench.submit(new);
    for _ in 0..2 {
        bench.worker();
        assert_eq!(bench.jobs().len(), 1);
        bench.advance(ms(100));
    }
    assert_eq!(
        bench.outcome(ticket),
        Err(ExecuteError::AttemptsTimedOut { attempts: 2 })
    );
}

#[test]
fn the_deadline_of_a_job_that_was_tried_says_that_it_may_have_started() {
    let mut bench = Bench::new();
    bench.worker();
    let mut new = bench.new_job();
    new.attempt_timeout = Some(ms(100));
    new.deadline = bench.now + ms(300);
    let ticket = bench.submit(new);
    bench.advance(ms(100));
    bench.take();
    bench.advance(ms(200));
    let started = Started::Maybe;
    assert_eq!(
        bench.outcome(ticket),
        Err(ExecuteError::DeadlineExceeded { started })
    );
}

#[test]
fn a_deadline_beyond_the_wire_is_as_long_as_the_wire_can_say() {
    let mut bench = Bench::new();
    bench.worker();
    let mut new = bench.new_job();
    new.deadline = bench.now + Duration::from_secs(100 * 365 * 24 * 3600);
    bench.submit(new);
    assert_eq!(bench.job().budget_ms, u32::MAX);
}
