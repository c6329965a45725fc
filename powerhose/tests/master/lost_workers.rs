use std::time::Duration;

use powerhose::ExecuteError;
use powerhose::master::{Action, Event};
use powerhose::wire::{Register, ResultCode, ToWorker};

use super::support::{Bench, Player, Sent, ms, registration, us};

/// Workers that die with so much time between them did not die together.
const APART: Duration = ms(100);

fn player(sent: &Sent) -> Player {
    Player {
        peer: sent.peer,
        session: sent.session,
    }
}

#[test]
fn the_job_of_a_lost_worker_goes_to_another_one_at_once() {
    let mut bench = Bench::new();
    let lost = bench.worker();
    bench.submit_plain();
    let first = bench.job();
    let other = bench.worker();
    bench.take();
    bench.lose(lost);
    let again = bench.job();
    assert_eq!(
        (again.session, again.key.job),
        (other.session, first.key.job)
    );
    assert_eq!(again.key.attempt, 2);
    assert_eq!(bench.master.stats().counters.workers_lost, 1);
}

#[test]
fn a_suspect_waits_for_an_idle_worker_and_has_it_alone() {
    let mut bench = Bench::new();
    let wide = || Register {
        slots: 2,
        ..registration()
    };
    let lost = bench.worker_with(wide());
    let ticket = bench.submit_plain();
    let suspect = bench.job();
    let other = bench.worker_with(wide());
    bench.submit_plain();
    let busy_with = bench.job();
    assert_eq!(busy_with.session, other.session);
    bench.lose(lost);
    assert_eq!(
        bench.jobs(),
        [],
        "one slot is free, but the worker is not idle"
    );
    bench.submit_plain();
    assert_eq!(bench.jobs(), [], "it is kept free for the suspect");
    bench.finish(other, busy_with.key, ms(1));
    let again = bench.job();
    assert_eq!(again.key.job, suspect.key.job);
    bench.finish(other, again.key, ms(1));
    assert_eq!(bench.outcomes()[0].0, ticket);
    bench.submit_plain();
    assert_eq!(
        bench.jobs().len(),
        1,
        "the other slot is free for everybody again"
    );
}

#[test]
fn ordinary_work_goes_on_beside_a_waiting_suspect() {
    let mut bench = Bench::new();
    let lost = bench.worker();
    bench.submit_plain();
    bench.take();
    let others = [(); 4].map(|()| bench.worker());
    for _ in 0..8 {
        bench.submit_plain();
    }
    let running = bench.jobs();
    assert_eq!(running.len(), 4);
    bench.lose(lost);
    bench.take();
    // The first to be idle takes the suspect, whichever was kept free for it.
    for (worker, job) in others.iter().zip(&running) {
        bench.finish(*worker, job.key, ms(1));
    }
    let next = bench.jobs();
    assert_eq!(next.len(), 4);
    assert_eq!(next.iter().filter(|job| job.key.attempt == 2).count(), 1);
}

#[test]
fn a_job_that_is_alone_with_two_workers_that_die_is_poison() {
    let mut bench = Bench::new();
    let ticket = bench.submit_plain();
    for _ in 0..3 {
        bench.worker();
        let job = bench.job();
        assert_eq!(bench.outcomes(), []);
        bench.advance(APART);
        bench.lose(player(&job));
    }
    assert_eq!(
        bench.outcome(ticket),
        Err(ExecuteError::Poison { deaths: 2 })
    );
    assert_eq!(bench.master.stats().counters.poisoned, 1);
}

#[test]
fn the_neighbours_of_a_poisonous_job_survive_it() {
    let mut bench = Bench::new();
    let worker = bench.measured_worker(1, us(100));
    let tickets = [(); 4].map(|()| bench.submit_plain());
    let sent = bench.jobs();
    assert_eq!(sent.len(), 4);
    let poisonous = sent[0].key.job;
    bench.lose(worker);
    bench.take();
    let mut ends = Vec::new();
    while ends.len() < 4 {
        let actions = bench.take();
        if actions.is_empty() {
            bench.worker();
        }
        for action in actions {
            match action {
                Action::Complete { ticket, result } => ends.push((ticket, result)),
                Action::Send {
                    peer,
                    message: ToWorker::Job { session, key, .. },
                } => {
                    let player = Player { peer, session };
                    if key.job == poisonous {
                        bench.advance(APART);
                        bench.lose(player);
                    } else {
                        bench.finish(player, key, us(100));
                    }
                }
                _ => {}
            }
        }
    }
    let failed: Vec<_> = ends.iter().filter(|(_, result)| result.is_err()).collect();
    assert_eq!(failed.len(), 1, "{ends:?}");
    assert_eq!(failed[0].0, tickets[0]);
    assert_eq!(failed[0].1, Err(ExecuteError::Poison { deaths: 2 }));
}

#[test]
fn a_job_runs_out_of_attempts() {
    let mut bench = Bench::new();
    let mut new = bench.new_job();
    new.attempts = 2;
    let ticket = bench.submit(new);
    for _ in 0..2 {
        bench.worker();
        let job = bench.job();
        bench.lose(player(&job));
    }
    assert_eq!(
        bench.outcome(ticket),
        Err(ExecuteError::WorkerLost { attempts: 2 })
    );
}

#[test]
fn a_job_that_must_run_at_most_once_is_not_sent_again() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let mut new = bench.new_job();
    new.at_most_once = true;
    let ticket = bench.submit(new);
    bench.take();
    bench.worker();
    bench.lose(worker);
    assert_eq!(
        bench.outcome(ticket),
        Err(ExecuteError::WorkerLost { attempts: 1 })
    );
}

#[test]
fn a_suspect_that_is_handed_back_is_still_sent_alone() {
    let mut bench = Bench::new();
    let ticket = bench.submit_plain();
    let first = bench.worker();
    bench.take();
    bench.lose(first);
    let second = bench.worker();
    let suspect = bench.job();
    bench.drain_worker(second);
    bench.return_job(second, suspect.key);
    bench.worker_with(Register {
        slots: 2,
        ..registration()
    });
    assert_eq!(bench.job().key.job, suspect.key.job);
    bench.submit_plain();
    assert_eq!(
        bench.jobs(),
        [],
        "the second slot stays free beside a suspect"
    );
    bench.cancel(ticket);
    assert_eq!(bench.jobs(), [], "until it answers");
}

#[test]
fn workers_that_leave_in_order_make_nobody_suspect() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    bench.submit_plain();
    bench.take();
    let wide = bench.worker_with(Register {
        slots: 2,
        ..registration()
    });
    bench.submit_plain();
    bench.take();
    bench.disconnect(worker);
    let again = bench.job();
    assert_eq!((again.session, again.key.attempt), (wide.session, 2));
}

#[test]
fn a_worker_whose_mail_piles_up_loses_its_session_and_its_jobs_move() {
    let mut bench = Bench::new();
    let stuck = bench.worker();
    bench.submit_plain();
    bench.take();
    let other = bench.worker();
    bench.take();
    bench.event(Event::Overflow { peer: stuck.peer });
    let actions = format!("{:?}", bench.take());
    assert!(actions.contains("Overflow"), "it is told: {actions}");
    assert!(actions.contains(&other.session.to_string()), "{actions}");
    assert_eq!(bench.master.stats().counters.workers_overflowed, 1);
}

#[test]
fn a_worker_kept_free_that_turns_out_laggy_is_replaced_by_another() {
    let mut bench = Bench::new();
    let submit = |bench: &mut Bench| {
        let mut new = bench.new_job();
        new.attempt_timeout = Some(ms(50));
        bench.submit(new);
        bench.job()
    };
    let a = bench.worker();
    bench.take();
    let first = submit(&mut bench);
    bench.worker();
    bench.take();
    submit(&mut bench);
    bench.lose(a);
    bench.take();
    // The second is kept free for the suspect, and hangs. The third gets the suspect, and then what the second had.
    bench.advance(ms(50));
    bench.take();
    let c = bench.worker();
    let sent = bench.job();
    assert_eq!((sent.session, sent.key.job), (c.session, first.key.job));
    bench.result(c, sent.key, ResultCode::Ok, "".into());
    assert_eq!(bench.jobs().len(), 1);
}

#[test]
fn jobs_of_workers_that_die_together_wait_until_it_is_known_who_is_left() {
    let mut bench = Bench::new();
    let dead = [(); 3].map(|()| bench.worker());
    for _ in 0..3 {
        bench.submit_plain();
    }
    assert_eq!(bench.jobs().len(), 3);
    let (doomed, left) = (bench.worker(), bench.worker());
    bench.take();
    bench.lose(dead[0]);
    let early = bench.job();
    assert_eq!(early.session, doomed.session, "one death is nobody else's");
    bench.lose(dead[1]);
    bench.lose(doomed);
    bench.lose(dead[2]);
    assert_eq!(bench.jobs(), []);
    for _ in 0..3 {
        bench.advance(ms(50));
        let job = bench.job();
        assert_eq!(job.session, left.session);
        bench.finish(left, job.key, ms(1));
    }
    assert_eq!(bench.master.stats().counters.completed, 3);
}

#[test]
fn other_jobs_do_not_wait_for_it() {
    let mut bench = Bench::new();
    let dead = [(); 2].map(|()| bench.worker());
    for _ in 0..2 {
        bench.submit_plain();
    }
    let left = [(); 4].map(|()| bench.worker());
    bench.take();
    dead.into_iter().for_each(|worker| bench.lose(worker));
    bench.take();
    let ticket = bench.submit_plain();
    let job = bench.job();
    let worker = left.iter().find(|worker| worker.session == job.session);
    bench.finish(*worker.expect("one of those left"), job.key, ms(1));
    bench.outcome(ticket).expect("a result");
}

#[test]
fn workers_that_die_all_the_time_keep_no_job_waiting_for_ever() {
    let mut bench = Bench::new();
    let first = bench.worker();
    bench.submit_plain();
    let job = bench.job();
    bench.lose(first);
    let second = bench.worker();
    assert_eq!(bench.job().key.job, job.key.job);
    bench.lose(second);
    bench.worker();
    let mut waited = Duration::ZERO;
    while bench.jobs().is_empty() {
        let busy = bench.worker();
        bench.advance(ms(10));
        bench.lose(busy);
        waited += ms(10);
        assert!(waited <= ms(1_100), "it waits for ever");
    }
    assert!(waited >= ms(900), "it did not wait");
}
