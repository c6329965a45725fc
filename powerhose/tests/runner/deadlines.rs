use std::time::Duration;

use powerhose::wire::{CancelReason, ToWorker};
use powerhose::{ExecuteError, Started, WaitError};

use crate::support::{Bench, PATIENCE, both_ways};

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_worker_that_never_answers_costs_the_deadline_and_is_told() {
    both_ways(async |bench| {
        let worker = bench.worker().await;
        // Enough for it to be given away.
        let reply = bench.runner.job("").timeout(10 * SHORT).execute().await;
        let started = Started::Maybe;
        assert_eq!(reply, Err(ExecuteError::DeadlineExceeded { started }));
        tokio::task::spawn_blocking(move || {
            let job = worker.job();
            let message = worker.receive();
            let ToWorker::Cancel { key, reason, .. } = message else {
                panic!("not a cancellation: {message:?}")
            };
            assert_eq!((key, reason), (job.key, CancelReason::Deadline));
        })
        .await
        .expect("no panic");
    })
    .await;
}

#[tokio::test]
async fn without_workers_a_job_waits_and_then_says_so() {
    let bench = Bench::new();
    let job = bench.runner.job("").service("verify").timeout(SHORT);
    let service = "verify".to_owned();
    assert_eq!(
        job.execute().await,
        Err(ExecuteError::NoWorkers { service })
    );
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let bench = Bench::with(|builder| builder.max_queue_jobs(1));
    let waiting = tokio::spawn({
        let runner = bench.runner.clone();
        async move { runner.execute("first").await }
    });
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while bench.runner.stats().await.waiting == 0 {
        assert!(tokio::time::Instant::now() < deadline, "it does not wait");
        tokio::task::yield_now().await;
    }
    let refused = bench.runner.execute("second").await;
    assert!(
        matches!(refused, Err(ExecuteError::Overloaded { .. })),
        "{refused:?}"
    );
    waiting.abort();
}

#[tokio::test]
async fn waiting_for_workers_ends_with_their_number() {
    let bench = Bench::new();
    let _worker = bench.worker().await;
    let waited = bench.runner.wait_for_workers(2, SHORT).await;
    let (active, wanted) = (1, 2);
    assert_eq!(waited, Err(WaitError::TimedOut { active, wanted }));
    bench.runner.shutdown(PATIENCE).await;
    let waited = bench.runner.wait_for_workers(1, PATIENCE).await;
    assert_eq!(waited, Err(WaitError::ShutDown));
}

#[tokio::test]
async fn a_timeout_of_zero_is_over_at_once() {
    let bench = Bench::new();
    let reply = bench.runner.job("").timeout(Duration::ZERO).execute().await;
    assert!(reply.is_err());
}
