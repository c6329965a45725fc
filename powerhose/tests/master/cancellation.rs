use powerhose::master::Ticket;
use powerhose::wire::{CancelReason, ResultCode};

use super::support::{Bench, ms};

#[test]
fn a_cancelled_job_that_waits_is_forgotten() {
    let mut bench = Bench::new();
    let ticket = bench.submit_plain();
    bench.cancel(ticket);
    bench.worker();
    assert_eq!(bench.jobs(), []);
    assert_eq!(bench.outcomes(), []);
    assert_eq!(bench.master.stats().jobs, 0);
}

#[test]
fn the_worker_of_a_cancelled_job_is_told_and_free_when_it_answers() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let ticket = bench.submit_plain();
    let job = bench.job();
    bench.cancel(ticket);
    assert_eq!(
        bench.cancels(),
        [(worker.peer, job.key, CancelReason::Caller)]
    );
    bench.submit_plain();
    assert_eq!(bench.jobs(), [], "its slot is taken until it answers");
    bench.result(worker, job.key, ResultCode::Cancelled, "".into());
    assert_eq!(bench.jobs().len(), 1);
    assert_eq!(bench.outcomes(), []);
}

#[test]
fn a_result_that_crosses_the_cancellation_is_dropped() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let ticket = bench.submit_plain();
    let job = bench.job();
    bench.cancel(ticket);
    bench.finish(worker, job.key, ms(1));
    assert_eq!(bench.outcomes(), []);
    assert_eq!(bench.master.stats().counters.late_results, 1);
}

#[test]
fn a_cancellation_after_the_outcome_or_of_nobody_is_ignored() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let ticket = bench.submit_plain();
    let job = bench.job();
    bench.finish(worker, job.key, ms(1));
    bench.take();
    bench.cancel(ticket);
    bench.cancel(Ticket(999));
    assert_eq!(bench.take(), []);
    assert_eq!(bench.master.stats().counters.cancelled, 0);
}

#[test]
fn a_cancelled_job_is_not_tried_again_when_its_worker_dies() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let ticket = bench.submit_plain();
    bench.cancel(ticket);
    bench.take();
    bench.worker();
    bench.lose(worker);
    assert_eq!(bench.jobs(), []);
}
