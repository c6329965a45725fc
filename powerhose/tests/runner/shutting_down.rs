use std::path::Path;
use std::time::Duration;

use powerhose::wire::{DisconnectReason, ResultCode, ToWorker};
use powerhose::{Bytes, ExecuteError, JobRunner, Started};

use crate::support::{Bench, PATIENCE, both_ways};

/// Whether nothing of the runner is left; workers may still have their sockets there.
fn is_free(directory: &Path) -> bool {
    let mut entries = std::fs::read_dir(directory).expect("readable");
    !entries
        .any(|entry| (entry.expect("readable").file_name().to_string_lossy()).starts_with("jobs"))
}

#[tokio::test]
async fn jobs_under_way_are_finished_and_new_ones_refused() {
    both_ways(async |bench| {
        let worker = bench.worker().await;
        let under_way = tokio::spawn({
            let runner = bench.runner.clone();
            async move { runner.execute("under way").await }
        });
        let (worker, job) = tokio::task::spawn_blocking(move || {
            let job = worker.job();
            (worker, job)
        })
        .await
        .expect("no panic");
        let shutdown = tokio::spawn({
            let runner = bench.runner.clone();
            async move { runner.shutdown(PATIENCE).await }
        });
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let started = Started::No;
        while bench
            .runner
            .job("new")
            .timeout(Duration::ZERO)
            .execute()
            .await
            != Err(ExecuteError::ShuttingDown { started })
        {
            assert!(tokio::time::Instant::now() < deadline, "still open");
        }
        worker.answer(job.key, ResultCode::Ok, "done");
        assert_eq!(under_way.await.expect("no panic"), Ok(Bytes::from("done")));
        let report = shutdown.await.expect("no panic");
        assert!(report.finished >= 1, "{report:?}");
        assert_eq!(report.aborted, 0);
        let farewell = tokio::task::spawn_blocking(move || worker.receive());
        assert!(matches!(
            farewell.await.expect("no panic"),
            ToWorker::Disconnect {
                reason: DisconnectReason::Shutdown,
                ..
            }
        ));
        assert!(is_free(bench.directory.path()));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_done_within_the_grace_fails() {
    both_ways(async |bench| {
        let worker = bench.worker().await;
        let jobs = ["at the worker", "waiting"].map(|body| {
            let runner = bench.runner.clone();
            tokio::spawn(async move { runner.execute(body).await })
        });
        let worker = tokio::task::spawn_blocking(move || {
            worker.job();
            worker
        });
        let _worker = worker.await.expect("no panic");
        let report = bench.runner.shutdown(Duration::from_millis(20)).await;
        assert_eq!((report.finished, report.aborted), (0, 2));
        let mut outcomes = Vec::new();
        for job in jobs {
            outcomes.push(job.await.expect("no panic"));
        }
        outcomes.sort_by_key(|outcome| format!("{outcome:?}"));
        let expected = [Started::Maybe, Started::No]
            .map(|started| Err(ExecuteError::ShuttingDown { started }));
        assert_eq!(outcomes, expected);
    })
    .await;
}

#[tokio::test]
async fn a_second_call_is_harmless_and_tells_the_same() {
    let bench = Bench::new();
    let _echo = bench.echo(crate::support::register()).await;
    bench.runner.execute("one").await.expect("a result");
    let (first, second) = tokio::join!(
        bench.runner.shutdown(PATIENCE),
        bench.runner.shutdown(PATIENCE)
    );
    assert_eq!(first, second);
    assert_eq!(bench.runner.shutdown(Duration::ZERO).await, first);
    assert!(bench.runner.workers().await.is_empty());
    assert_eq!(bench.runner.stats().await.counters.completed, 1);
    let started = Started::No;
    let refused = bench.runner.execute("late").await;
    assert_eq!(refused, Err(ExecuteError::ShuttingDown { started }));
}

#[tokio::test]
async fn dropping_the_last_clone_ends_the_thread_and_frees_the_path() {
    let Bench {
        runner, directory, ..
    } = Bench::new();
    let endpoint = runner.endpoints()[0].clone();
    let clone = runner.clone();
    drop(runner);
    JobRunner::bind(&endpoint).expect_err("a clone is left");
    drop(clone);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_free(directory.path()) {
        assert!(tokio::time::Instant::now() < deadline, "it still listens");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    JobRunner::bind(&endpoint).expect("the path is free");
}
