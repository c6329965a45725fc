use std::collections::{BTreeMap, VecDeque};

use powerhose::master::{Config, NewJob, Ticket};
use powerhose::wire::Register;
use powerhose::{Bytes, ExecuteError};
use proptest::prelude::*;

use super::support::{Bench, Player, Sent, ms, offering, registration};

fn job_of(bench: &Bench, client: u32) -> NewJob {
    NewJob {
        body: Bytes::from(client.to_string()),
        client,
        ..bench.new_job()
    }
}

/// Whose job it is.
fn whose(job: &Sent) -> u32 {
    (std::str::from_utf8(&job.body).ok())
        .and_then(|body| body.parse().ok())
        .expect("a number")
}

/// Without jobs sent ahead, so that one is sent for each that is done.
fn bench() -> Bench {
    Bench::with(Config {
        max_prefetch: 0,
        ..Config::default()
    })
}

/// The worker does its job and as many of the next ones.
fn next(bench: &mut Bench, worker: Player, count: usize) -> Vec<u32> {
    let mut at_work = bench.job();
    (0..count)
        .map(|_| {
            bench.finish(worker, at_work.key, ms(1));
            at_work = bench.job();
            whose(&at_work)
        })
        .collect()
}

#[test]
fn clients_take_turns_however_many_jobs_one_has() {
    let mut bench = bench();
    let worker = bench.worker();
    for _ in 0..1000 {
        bench.submit(job_of(&bench, 1));
    }
    for client in [2, 2, 3] {
        bench.submit(job_of(&bench, client));
    }
    assert_eq!(next(&mut bench, worker, 8), [1, 2, 3, 1, 2, 1, 1, 1]);
}

#[test]
fn a_job_that_must_not_be_started_twice_has_its_turn_like_others() {
    let mut bench = bench();
    let worker = bench.worker();
    for _ in 0..1000 {
        bench.submit(job_of(&bench, 1));
    }
    bench.advance(ms(5));
    for _ in 0..2 {
        bench.submit(NewJob {
            at_most_once: true,
            ..job_of(&bench, 2)
        });
    }
    assert_eq!(next(&mut bench, worker, 5), [1, 2, 1, 2, 1]);
}

#[test]
fn clients_take_turns_at_a_worker_of_several_services() {
    let mut bench = bench();
    let worker = bench.worker_with(offering(&["a", "b"]));
    for _ in 0..100 {
        bench.submit(NewJob {
            service: "a".into(),
            ..job_of(&bench, 1)
        });
    }
    for _ in 0..2 {
        bench.submit(NewJob {
            service: "b".into(),
            ..job_of(&bench, 2)
        });
    }
    assert_eq!(next(&mut bench, worker, 5), [1, 2, 1, 2, 1]);
}

#[test]
fn without_other_clients_the_oldest_job_is_first_whatever_its_kind() {
    let mut bench = bench();
    let worker = bench.worker();
    let numbers = [7, 0, 1, 2, 3, 4];
    for number in numbers {
        bench.submit(NewJob {
            at_most_once: number % 2 == 0,
            client: 5,
            ..job_of(&bench, number)
        });
    }
    assert_eq!(next(&mut bench, worker, 5), [0, 1, 2, 3, 4]);
}

#[test]
fn a_job_that_comes_back_is_first() {
    let mut bench = bench();
    let worker = bench.worker();
    for client in [1, 1, 2, 2] {
        bench.submit(job_of(&bench, client));
    }
    let first = bench.job();
    bench.return_job(worker, first.key);
    let again = bench.job();
    assert_eq!((again.key.job, whose(&again)), (first.key.job, 1));
}

#[test]
fn the_flood_of_one_client_does_not_make_another_one_wait_in_vain() {
    let mut bench = bench();
    bench.measured_worker(1, ms(10));
    for _ in 0..100 {
        bench.submit(job_of(&bench, 1));
    }
    bench.take();
    // A second of work waits, of which 10 ms are done before.
    let soon = |bench: &Bench, client| NewJob {
        deadline: bench.now + ms(100),
        ..job_of(bench, client)
    };
    let own = bench.submit(soon(&bench, 1));
    assert!(matches!(
        bench.outcome(own),
        Err(ExecuteError::Overloaded { .. })
    ));
    bench.submit(soon(&bench, 2));
    assert_eq!(bench.outcomes(), []);
}

/// The clients in a run.
const CLIENTS: usize = 4;

/// What happens in a run: which client submits, whether a job of it is withdrawn, or a worker is done.
#[derive(Debug, Clone, Copy)]
enum Step {
    Submit { client: usize, at_most_once: bool },
    Withdraw { any: usize },
    Finish,
}

fn step() -> impl Strategy<Value = Step> {
    let submit = (0..CLIENTS, any::<bool>()).prop_map(|(client, at_most_once)| Step::Submit {
        client,
        at_most_once,
    });
    let withdraw = any::<usize>().prop_map(|any| Step::Withdraw { any });
    prop_oneof![4 => submit, 1 => withdraw, 3 => Just(Step::Finish)]
}

proptest! {
    /// While a job of a client waits, no other client has its turn again and again.
    #[test]
    fn nobody_is_passed_over(steps in prop::collection::vec(step(), 1..300)) {
        let mut bench = bench();
        let worker = bench.worker();
        let mut at_work = VecDeque::new();
        // By its number in the run: its ticket and its client.
        let mut waiting: BTreeMap<u32, (Ticket, usize)> = BTreeMap::new();
        // By client: how many turns each other one has had since it last had its own, or began to wait.
        let mut passed = [[0_u32; CLIENTS]; CLIENTS];
        for (number, step) in (0..).zip(steps) {
            match step {
                Step::Submit { client, at_most_once } => {
                    if waiting.values().all(|(_, of)| *of != client) {
                        passed[client] = [0; CLIENTS];
                    }
                    let ticket = bench.submit(NewJob {
                        at_most_once,
                        client: u32::try_from(client).expect("a small one"),
                        ..job_of(&bench, number)
                    });
                    waiting.insert(number, (ticket, client));
                }
                Step::Withdraw { any } => {
                    let number = waiting.keys().nth(any % waiting.len().max(1)).copied();
                    if let Some((ticket, _)) = number.and_then(|number| waiting.remove(&number)) {
                        bench.cancel(ticket);
                    }
                }
                Step::Finish => {
                    if let Some(job) = at_work.pop_front() {
                        let job: Sent = job;
                        bench.finish(worker, job.key, ms(1));
                    }
                }
            }
            for job in bench.jobs() {
                let (_, client) = waiting.remove(&whose(&job)).expect("it waited");
                at_work.push_back(job);
                for other in (0..CLIENTS).filter(|other| *other != client) {
                    if waiting.values().any(|(_, of)| *of == other) {
                        passed[other][client] += 1;
                        prop_assert!(passed[other][client] <= 2, "{passed:?}");
                    }
                }
                passed[client] = [0; CLIENTS];
            }
        }
    }
}

#[test]
fn slots_are_shared_too() {
    let mut bench = bench();
    let slots = Register {
        slots: 4,
        ..registration()
    };
    for client in [1, 1, 1, 1, 1, 1, 2, 2] {
        bench.submit(job_of(&bench, client));
    }
    bench.worker_with(slots);
    let sent: Vec<_> = bench.jobs().iter().map(whose).collect();
    assert_eq!(sent, [1, 2, 1, 2]);
}
