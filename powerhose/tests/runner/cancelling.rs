use std::time::Duration;

use powerhose::wire::{CancelReason, ResultCode, ToWorker};
use powerhose::{Bytes, ExecuteError};

use crate::support::{Bench, PATIENCE, both_ways};

#[tokio::test]
async fn dropping_the_future_cancels_the_job_at_its_worker() {
    both_ways(async |bench| {
        let worker = bench.worker().await;
        let caller = tokio::spawn({
            let runner = bench.runner.clone();
            async move { runner.execute("long").await }
        });
        let (worker, job) = tokio::task::spawn_blocking(move || {
            let job = worker.job();
            (worker, job)
        })
        .await
        .expect("no panic");
        caller.abort();
        assert!(caller.await.expect_err("it was aborted").is_cancelled());
        let cancel = tokio::task::spawn_blocking(move || (worker.receive(), worker));
        let (message, worker) = cancel.await.expect("no panic");
        let ToWorker::Cancel { key, reason, .. } = message else {
            panic!("not a cancellation: {message:?}")
        };
        assert_eq!((key, reason), (job.key, CancelReason::Caller));

        // The worker is free for the next one as soon as it says so.
        worker.answer(job.key, ResultCode::Cancelled, "");
        let runner = bench.runner.clone();
        let next = tokio::spawn(async move { runner.execute("next").await });
        let answered = tokio::task::spawn_blocking(move || {
            let job = worker.job();
            worker.answer(job.key, ResultCode::Ok, job.body);
        });
        assert_eq!(next.await.expect("no panic"), Ok(Bytes::from("next")));
        answered.await.expect("no panic");
        assert_eq!(bench.runner.stats().await.counters.cancelled, 1);
    })
    .await;
}

#[tokio::test]
async fn a_job_cancelled_while_it_waits_reaches_no_worker() {
    both_ways(async |bench| {
        let early = bench.runner.execute("early");
        assert!(
            tokio::time::timeout(Duration::from_millis(20), early)
                .await
                .is_err()
        );
        let worker = bench.worker().await;
        let late = bench.runner.job("late").timeout(PATIENCE).execute();
        let body = tokio::task::spawn_blocking(move || {
            let job = worker.job();
            worker.answer(job.key, ResultCode::Ok, "");
            job.body
        });
        late.await.expect("a result");
        assert_eq!(body.await.expect("no panic"), "late");
    })
    .await;
}

#[tokio::test]
async fn futures_dropped_by_the_thousand_leave_nothing_behind() {
    let bench = Bench::new();
    for _ in 0..100 {
        let jobs = futures(&bench, 100);
        assert!(tokio::time::timeout(Duration::ZERO, jobs).await.is_err());
    }
    let stats = bench.runner.stats().await;
    assert_eq!(
        (stats.counters.cancelled, stats.jobs, stats.waiting_bytes),
        (10_000, 0, 0)
    );
}

/// So many jobs at once in one future.
async fn futures(bench: &Bench, count: usize) -> Vec<Result<Bytes, ExecuteError>> {
    let mut jobs: Vec<_> = (0..count)
        .map(|_| Box::pin(bench.runner.execute("x")))
        .collect();
    std::future::poll_fn(move |context| {
        for job in &mut jobs {
            assert!(
                job.as_mut().poll(context).is_pending(),
                "there is no worker"
            );
        }
        std::task::Poll::Pending
    })
    .await
}
