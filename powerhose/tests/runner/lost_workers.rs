use powerhose::wire::ResultCode;
use powerhose::{Bytes, ExecuteError};

use crate::support::{PATIENCE, both_ways, both_ways_with, register};

#[tokio::test]
async fn a_job_whose_worker_dies_goes_to_another_without_waiting_for_a_timeout() {
    both_ways_with(
        |builder| builder.default_timeout(3 * PATIENCE),
        async |bench| {
            let doomed = bench.worker().await;
            let reply = tokio::spawn({
                let runner = bench.runner.clone();
                async move { runner.execute("precious").await }
            });
            let first = tokio::task::spawn_blocking(move || doomed.job());
            assert_eq!(first.await.expect("no panic").key.attempt, 1);
            // `doomed` was dropped, and its connection with it.
            let heir = bench.worker().await;
            let second = tokio::task::spawn_blocking(move || {
                let job = heir.job();
                heir.answer(job.key, ResultCode::Ok, job.body);
                (heir, job.key.attempt)
            });
            let reply = tokio::time::timeout(PATIENCE, reply).await;
            assert_eq!(
                reply.expect("in time").expect("no panic"),
                Ok(Bytes::from("precious"))
            );
            let (_heir, attempt) = second.await.expect("no panic");
            assert_eq!(attempt, 2);
            let counters = bench.runner.stats().await.counters;
            assert_eq!((counters.workers_lost, counters.redispatched), (1, 1));
        },
    )
    .await;
}

#[tokio::test]
async fn a_result_sent_just_before_the_death_still_counts() {
    both_ways(async |bench| {
        for round in 0..20_u8 {
            let worker = bench.worker().await;
            let reply = tokio::spawn({
                let runner = bench.runner.clone();
                async move { runner.execute(vec![round]).await }
            });
            tokio::task::spawn_blocking(move || {
                let job = worker.job();
                worker.leave_with([(job.key, job.body)]);
            })
            .await
            .expect("no panic");
            assert_eq!(reply.await.expect("no panic"), Ok(Bytes::from(vec![round])));
            let deadline = tokio::time::Instant::now() + PATIENCE;
            while !bench.runner.workers().await.is_empty() {
                // An idle worker's death shows when something is sent to it, or by its silence.
                bench.runner.exited(std::process::id());
                assert!(
                    tokio::time::Instant::now() < deadline,
                    "it still counts as there"
                );
            }
        }
        assert_eq!(bench.runner.stats().await.counters.redispatched, 0);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_must_not_be_repeated_is_lost_with_its_worker() {
    both_ways_with(
        |builder| builder.default_timeout(3 * PATIENCE),
        async |bench| {
            let doomed = bench.worker().await;
            let _other = bench.worker().await;
            let once = bench.runner.job("once").at_most_once().execute();
            let first = tokio::task::spawn_blocking(move || doomed.job());
            let reply = tokio::time::timeout(PATIENCE, once).await;
            assert_eq!(
                reply.expect("in time"),
                Err(ExecuteError::WorkerLost { attempts: 1 })
            );
            assert_eq!(first.await.expect("no panic").body, "once");
        },
    )
    .await;
}

#[tokio::test]
async fn results_on_their_way_when_their_worker_is_lost_are_waited_for() {
    const JOBS: u16 = 16;
    const LARGE: usize = 2 << 20;
    both_ways(async |bench| {
        let mut register = register();
        register.slots = JOBS;
        let worker = bench.worker_with(register).await;
        let replies: Vec<_> = (0..JOBS)
            .map(|_| {
                let runner = bench.runner.clone();
                tokio::spawn(async move { runner.job("large").at_most_once().execute().await })
            })
            .collect();
        tokio::task::spawn_blocking(move || {
            let jobs: Vec<_> = (0..JOBS).map(|_| worker.job()).collect();
            let answer = Bytes::from(vec![7; LARGE]);
            worker.leave_with(jobs.into_iter().map(|job| (job.key, answer.clone())));
        })
        .await
        .expect("no panic");
        for reply in replies {
            let answer = reply.await.expect("no panic").expect("a result was sent");
            assert_eq!(answer.len(), LARGE);
        }
    })
    .await;
}
