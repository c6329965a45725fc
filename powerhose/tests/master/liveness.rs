use powerhose::master::{Action, Config};
use powerhose::wire::{DisconnectReason, ToWorker};

use super::support::{Bench, ms, us};

#[test]
fn an_idle_worker_that_is_silent_for_three_intervals_is_lost() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    bench.advance(ms(1500));
    bench.heartbeat(worker);
    bench.advance(ms(2999));
    assert_eq!(bench.master.stats().workers, 1);
    bench.take();
    bench.advance(ms(1));
    let session = worker.session;
    let farewell = Action::Send {
        peer: worker.peer,
        message: ToWorker::Disconnect {
            session,
            reason: DisconnectReason::Silent,
        },
    };
    assert_eq!(bench.take(), [farewell]);
    assert_eq!(bench.master.stats().counters.workers_silent, 1);
}

#[test]
fn a_busy_worker_may_be_silent_for_as_long_as_its_job_takes() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let ticket = bench.submit_plain();
    let job = bench.job();
    bench.advance(ms(25_000));
    assert_eq!(bench.master.stats().workers, 1);
    bench.finish(worker, job.key, ms(25_000));
    bench.outcome(ticket).expect("a result");
    bench.advance(ms(2_999));
    assert_eq!(bench.master.stats().workers, 1);
}

#[test]
fn nobody_is_lost_through_a_pause_of_the_master() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    bench.advance(ms(900));
    bench.freeze(ms(60_000));
    // The worker's ping came in late, because it was stopped too.
    bench.advance(ms(500));
    assert_eq!(bench.master.stats().workers, 1);
    bench.heartbeat(worker);
    assert_eq!(bench.master.stats().counters.pauses, 1);
    bench.advance(ms(3000));
    assert_eq!(
        bench.master.stats().workers,
        0,
        "after that it is judged as ever"
    );
}

#[test]
fn a_pause_that_ends_just_when_a_worker_would_be_lost_is_credited_too() {
    for pause in 1..30 {
        for before in 0..10 {
            let mut bench = Bench::new();
            bench.worker();
            bench.advance(ms(100 * before));
            bench.freeze(ms(100 * pause));
            bench.advance(ms(1000 - 100 * before));
            assert_eq!(bench.master.stats().workers, 1, "{pause} {before}");
        }
    }
}

#[test]
fn a_pause_is_not_held_against_a_worker_that_holds_jobs_sent_ahead() {
    let mut bench = Bench::new();
    let worker = bench.measured_worker(1, us(100));
    for _ in 0..3 {
        bench.submit_plain();
    }
    let sent = bench.jobs();
    assert_eq!(sent.len(), 3);
    bench.worker();
    bench.take();
    bench.freeze(ms(1000));
    bench.finish(worker, sent[0].key, ms(1));
    bench.advance(ms(49));
    assert_eq!(bench.master.stats().counters.recalled, 0);
}

#[test]
fn settings_too_small_to_work_with_do_no_harm() {
    let mut bench = Bench::with(Config {
        heartbeat: ms(0),
        misses: 0,
        recall_after: ms(0),
        ..Config::default()
    });
    let worker = bench.measured_worker(1, ms(1));
    bench.submit_plain();
    bench.advance(ms(20));
    assert_eq!(bench.master.stats().workers, 1, "it is busy");
    let _ = worker;
}
