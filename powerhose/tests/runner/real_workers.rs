//! The runner with this library's own workers, in threads.

use std::thread::{self, JoinHandle};

use powerhose::{Bytes, ExecuteError, Exit, JobError, Worker, WorkerBuilder, WorkerError};
use tokio::task::JoinSet;

use crate::support::{Bench, PATIENCE, both_ways};

impl Bench {
    /// Starts a worker and waits until it is registered.
    async fn start(&self, worker: WorkerBuilder) -> JoinHandle<Result<Exit, WorkerError>> {
        let before = self.runner.workers().await.len();
        let worker = worker
            .connect(&self.runner.endpoints()[0])
            .handle_signals(false);
        let worker = match self.own_socket() {
            Some(path) => worker.bind(format!("ipc://{path}")),
            None => worker,
        };
        let thread = thread::spawn(|| worker.run());
        let registered = self.runner.wait_for_workers(before + 1, PATIENCE).await;
        registered.expect("it registers");
        thread
    }

    /// Has so many jobs done at once and checks that each gets its own payload back.
    async fn echo_all(&self, jobs: u32) {
        let mut running = JoinSet::new();
        for number in 0..jobs {
            let runner = self.runner.clone();
            running.spawn(async move {
                let body = Bytes::copy_from_slice(&number.to_be_bytes());
                assert_eq!(runner.execute(body.clone()).await, Ok(body));
            });
        }
        while let Some(job) = running.join_next().await {
            job.expect("the right result");
        }
    }
}

fn echo() -> WorkerBuilder {
    Worker::builder().handler(|job| Ok(job.body().clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_done_by_workers_with_one_slot_and_with_several() {
    both_ways(async |bench| {
        let workers = [
            bench.start(echo()).await,
            bench.start(echo().slots(4)).await,
        ];
        bench.echo_all(10_000).await;
        let large = Bytes::from(vec![3; 1 << 20]);
        assert!(bench.runner.execute(large.clone()).await == Ok(large));
        assert_eq!(bench.runner.stats().await.counters.completed, 10_001);
        let report = bench.runner.shutdown(PATIENCE).await;
        assert_eq!((report.finished, report.aborted), (0, 0));
        drop(workers);
    })
    .await;
}

#[tokio::test]
async fn a_handlers_failures_reach_the_caller() {
    both_ways(async |bench| {
        let worker = Worker::builder().handler(|job| match &job.body()[..] {
            b"panic" => panic!("as asked"),
            _ => Err(JobError::new("as told")),
        });
        let _worker = bench.start(worker).await;
        let message = Bytes::from("as told");
        let failed = bench.runner.execute("fail").await;
        assert_eq!(failed, Err(ExecuteError::Failed { message }));
        let message = Bytes::from("as asked");
        let panicked = bench.runner.execute("panic").await;
        assert_eq!(panicked, Err(ExecuteError::Panicked { message }));
    })
    .await;
}

#[tokio::test]
async fn a_successor_at_the_same_path_gets_the_workers() {
    both_ways(async |bench| {
        let worker = bench.start(echo()).await;
        let endpoint = bench.runner.endpoints()[0].clone();
        bench.runner.shutdown(PATIENCE).await;
        let successor = powerhose::JobRunner::bind(endpoint).expect("the path is free");
        let found = successor.wait_for_workers(1, PATIENCE).await;
        found.expect("the worker comes back");
        let body = Bytes::from("still here");
        assert_eq!(successor.execute(body.clone()).await, Ok(body));
        drop(worker);
    })
    .await;
}
