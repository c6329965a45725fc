use powerhose::wire::Register;

use super::support::{Bench, ms, offering, registration, us};

#[test]
fn a_job_goes_to_a_free_worker_at_once_with_its_time() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let mut new = bench.new_job();
    new.deadline = bench.now + us(2_500_001);
    bench.submit(new);
    let job = bench.job();
    assert_eq!((job.peer, job.session), (worker.peer, worker.session));
    assert_eq!((job.key.attempt, job.service), (1, 0));
    assert_eq!(job.budget_ms, 2501, "rounded up");
    assert_eq!(job.body, "payload");
}

#[test]
fn jobs_wait_in_order_for_the_first_worker() {
    let mut bench = Bench::new();
    let tickets = [(); 3].map(|()| bench.submit_plain());
    assert_eq!(bench.jobs(), []);
    let worker = bench.worker();
    for ticket in tickets {
        let job = bench.job();
        bench.finish(worker, job.key, ms(5));
        let done = bench.master.stats();
        assert_eq!(done.counters.completed, ticket.0);
    }
}

#[test]
fn the_time_in_the_queue_counts_against_the_budget() {
    let mut bench = Bench::new();
    bench.submit_plain();
    bench.advance(ms(12_000));
    bench.worker();
    assert_eq!(bench.job().budget_ms, 18_000);
}

#[test]
fn no_job_is_sent_behind_a_busy_worker_while_another_is_free() {
    let mut bench = Bench::new();
    let fast = bench.measured_worker(1, us(5));
    let other = bench.worker();
    bench.take();
    bench.submit_plain();
    bench.submit_plain();
    let sessions: Vec<u64> = bench.jobs().iter().map(|job| job.session).collect();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.contains(&fast.session) && sessions.contains(&other.session));
}

#[test]
fn the_least_loaded_worker_comes_first_in_proportion_to_its_slots() {
    let mut bench = Bench::new();
    let wide = bench.worker_with(Register {
        slots: 4,
        ..registration()
    });
    let narrow = bench.worker_with(Register {
        slots: 2,
        ..registration()
    });
    bench.take();
    let mut order = Vec::new();
    for _ in 0..6 {
        bench.submit_plain();
        order.push(bench.job().session);
    }
    let (w, n) = (wide.session, narrow.session);
    // Loads before each: 0/0, 1/4 or 0, 1/4 or 1/2, 2/4 or 1/2 (it has been at one half for longer), ...
    assert_eq!(order, [w, n, w, n, w, w]);
}

#[test]
fn among_equals_the_one_idle_for_the_longest_time_comes_first() {
    let mut bench = Bench::new();
    let workers = [(); 3].map(|()| bench.worker());
    bench.take();
    for _ in 0..2 {
        for worker in workers {
            bench.submit_plain();
            let job = bench.job();
            assert_eq!(job.session, worker.session);
            bench.finish(worker, job.key, ms(2));
            bench.take();
        }
    }
}

#[test]
fn a_worker_never_has_more_slow_jobs_than_slots() {
    let mut bench = Bench::new();
    let worker = bench.measured_worker(2, ms(3));
    for _ in 0..5 {
        bench.submit_plain();
    }
    let jobs = bench.jobs();
    assert_eq!(jobs.len(), 2);
    bench.finish(worker, jobs[1].key, ms(3));
    assert_eq!(bench.job().session, worker.session);
}

#[test]
fn a_job_goes_only_to_workers_of_its_service_under_their_index() {
    let mut bench = Bench::new();
    let both = bench.worker_with(offering(&["issue", "verify"]));
    bench.worker_with(offering(&["issue"]));
    bench.take();
    let mut new = bench.new_job();
    new.service = "verify".into();
    bench.submit(new);
    let job = bench.job();
    assert_eq!((job.session, job.service), (both.session, 1));
}
