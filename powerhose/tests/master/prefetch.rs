use powerhose::master::{Action, Config};
use powerhose::wire::{CancelReason, ResultCode, ToWorker};

use super::support::{Bench, Player, Sent, ms, us};

fn submit(bench: &mut Bench, count: usize) -> Vec<Sent> {
    for _ in 0..count {
        bench.submit_plain();
    }
    bench.jobs()
}

#[test]
fn a_worker_that_is_not_measured_gets_nothing_ahead() {
    let mut bench = Bench::new();
    bench.worker();
    assert_eq!(submit(&mut bench, 5).len(), 1);
}

#[test]
fn a_fast_worker_gets_ahead_what_it_does_within_the_window() {
    let mut bench = Bench::new();
    bench.measured_worker(1, us(100));
    assert_eq!(submit(&mut bench, 50).len(), 1 + 10);
}

#[test]
fn credit_is_per_slot() {
    let mut bench = Bench::new();
    bench.measured_worker(3, us(250));
    assert_eq!(submit(&mut bench, 50).len(), 3 + 3 * 4);
}

#[test]
fn the_setting_limits_what_is_sent_ahead() {
    let mut bench = Bench::with(Config {
        max_prefetch: 2,
        ..Config::default()
    });
    bench.measured_worker(1, us(1));
    assert_eq!(submit(&mut bench, 50).len(), 1 + 2);
}

#[test]
fn nothing_is_sent_ahead_where_that_is_turned_off() {
    let mut bench = Bench::with(Config {
        max_prefetch: 0,
        ..Config::default()
    });
    bench.measured_worker(1, us(1));
    assert_eq!(submit(&mut bench, 5).len(), 1);
}

#[test]
fn one_long_job_among_many_short_ones_ends_the_credit() {
    let mut bench = Bench::new();
    let worker = bench.measured_worker(1, us(10));
    bench.submit_plain();
    let long = bench.job();
    bench.advance(ms(20));
    bench.finish(worker, long.key, ms(20));
    bench.take();
    assert_eq!(submit(&mut bench, 5).len(), 1);
}

#[test]
fn a_job_that_must_run_at_most_once_waits_for_a_free_slot() {
    let mut bench = Bench::new();
    let worker = bench.measured_worker(1, us(10));
    let first = submit(&mut bench, 1);
    let mut new = bench.new_job();
    new.at_most_once = true;
    bench.submit(new);
    assert_eq!(bench.jobs(), []);
    assert_eq!(submit(&mut bench, 1).len(), 1, "another one may pass it");
    bench.finish(worker, first[0].key, us(10));
    assert_eq!(
        bench.jobs(),
        [],
        "the slot is taken by the one that was sent ahead"
    );
}

#[test]
fn jobs_sent_ahead_to_a_worker_that_stalls_go_to_others() {
    let mut bench = Bench::new();
    let stalled = bench.measured_worker(1, us(100));
    let sent = submit(&mut bench, 4);
    assert_eq!(sent.len(), 4);
    bench.worker();
    bench.take();
    bench.advance(ms(49));
    assert_eq!(bench.take(), []);
    bench.advance(ms(1));
    let actions = bench.take();
    let recalled = |job: &Sent| {
        let cancel = Action::Send {
            peer: stalled.peer,
            message: ToWorker::Cancel {
                session: stalled.session,
                key: job.key,
                reason: CancelReason::Recalled,
            },
        };
        actions.contains(&cancel)
    };
    assert!(!recalled(&sent[0]), "it has been started");
    assert!(sent[1..].iter().all(recalled));
    let stats = bench.master.stats();
    assert_eq!((stats.waiting, stats.counters.recalled), (2, 3));
    let in_flight = bench
        .master
        .workers(bench.now)
        .into_iter()
        .map(|worker| worker.in_flight);
    assert_eq!(
        in_flight.sum::<usize>(),
        4 + 1,
        "the other one has the first of them"
    );
    for job in &sent[1..] {
        bench.return_job(stalled, job.key);
    }
    assert_eq!(
        bench.jobs(),
        [],
        "a stalled worker gets nothing more ahead, however much room it has"
    );
    bench.finish(stalled, sent[0].key, ms(51));
    let next = bench.job();
    assert_eq!(
        (next.session, next.key.job),
        (stalled.session, sent[2].key.job)
    );
    assert_eq!(next.key.attempt, 2);
}

#[test]
fn what_a_worker_hands_back_after_a_recall_was_no_attempt() {
    let mut bench = Bench::new();
    let stalled = bench.measured_worker(1, us(100));
    let sent = submit(&mut bench, 2);
    bench.worker();
    bench.take();
    bench.advance(ms(50));
    let again = bench.job();
    assert_eq!(again.key.job, sent[1].key.job);
    bench.return_job(stalled, sent[1].key);
    // Two more attempts may follow this one, the second of three.
    let third = Player {
        peer: again.peer,
        session: again.session,
    };
    bench.lose(third);
    bench.finish(stalled, sent[0].key, ms(60));
    let suspect = bench.job();
    assert_eq!((suspect.key.job, suspect.key.attempt), (sent[1].key.job, 3));
    bench.advance(ms(100));
    bench.lose(stalled);
    assert_eq!(bench.outcomes(), []);
    bench.worker();
    assert_eq!(bench.job().key.attempt, 4);
}

#[test]
fn a_job_on_its_last_attempt_is_asked_back_and_goes_on_only_if_it_was_not_started() {
    let mut bench = Bench::new();
    let stalled = bench.measured_worker(1, us(100));
    let first = submit(&mut bench, 1);
    let tickets = [(); 2].map(|()| {
        let mut new = bench.new_job();
        new.attempts = 1;
        bench.submit(new)
    });
    let ahead = bench.jobs();
    assert_eq!(ahead.len(), 2);
    let other = bench.worker();
    bench.take();
    bench.advance(ms(50));
    let actions = bench.take();
    assert_eq!(
        actions.len(),
        2,
        "two are asked back, none is sent: {actions:?}"
    );
    bench.return_job(stalled, ahead[1].key);
    let again = bench.job();
    assert_eq!(
        (again.session, again.key.job),
        (other.session, ahead[1].key.job)
    );
    bench.result(stalled, first[0].key, ResultCode::Ok, "late".into());
    bench.take();
    bench.result(stalled, ahead[0].key, ResultCode::Ok, "done".into());
    assert_eq!(bench.outcome(tickets[0]).expect("a result"), "done");
}

/// Three workers, a job for each that takes long, and one more that was sent ahead and recalled twice. Returns who has it now, and the
/// job as it was sent first.
fn recalled_twice(bench: &mut Bench) -> (Player, Sent, Sent) {
    let workers = [(); 2].map(|()| bench.worker());
    bench.take();
    for _ in 0..32 {
        for job in submit(bench, workers.len()) {
            let worker = workers.iter().find(|worker| worker.session == job.session);
            bench.finish(*worker.expect("one of them"), job.key, us(100));
        }
    }
    assert_eq!(submit(bench, workers.len()).len(), workers.len());
    bench.submit_plain();
    let first = bench.job();
    bench.advance(ms(50));
    let second = bench.job();
    assert_eq!((second.key.job, second.key.attempt), (first.key.job, 2));
    assert_ne!(second.session, first.session);
    bench.advance(ms(50));
    let holder = workers
        .into_iter()
        .find(|worker| worker.session == second.session);
    (holder.expect("one of them"), first, second)
}

#[test]
fn recalls_leave_a_job_an_attempt_for_the_loss_of_its_worker() {
    let mut bench = Bench::new();
    let (holder, ..) = recalled_twice(&mut bench);
    assert_eq!(bench.master.stats().counters.recalled, 2);
    let third = bench.worker();
    let sent = bench.jobs();
    // Whoever has it now dies.
    bench.lose(if sent.is_empty() { holder } else { third });
    assert_eq!(bench.outcomes(), []);
}

#[test]
fn a_job_without_attempts_to_spare_is_asked_back_until_the_worker_hands_it_back() {
    let mut bench = Bench::new();
    let (holder, first, second) = recalled_twice(&mut bench);
    assert_eq!(
        bench.cancels(),
        [(holder.peer, second.key, CancelReason::Recalled)]
    );
    let third = bench.worker();
    assert_eq!(bench.jobs(), []);
    bench.return_job(holder, second.key);
    let again = bench.job();
    assert_eq!(
        (again.session, again.key.job),
        (third.session, first.key.job)
    );
    assert_eq!(again.key.attempt, 3, "numbers are not used again");
}

#[test]
fn a_worker_alone_keeps_what_it_has_until_another_one_comes() {
    let mut bench = Bench::new();
    bench.measured_worker(1, us(100));
    let sent = submit(&mut bench, 3);
    bench.advance(ms(500));
    assert_eq!(bench.jobs(), []);
    let other = bench.worker();
    let again = bench.job();
    assert_eq!(
        (again.session, again.key.job),
        (other.session, sent[1].key.job)
    );
}
