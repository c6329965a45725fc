use std::time::Duration;

use powerhose::wire::ResultCode;
use powerhose::{Bytes, ExecuteError, JobRunner};
use tokio::task::JoinSet;

use crate::support::{Bare, Bench, PATIENCE, both_ways, register};

#[tokio::test]
async fn a_job_goes_to_a_worker_and_its_result_comes_back() {
    both_ways(async |bench| {
        let worker = bench.worker().await;
        let runner = bench.runner.clone();
        let reply = tokio::spawn(async move { runner.execute("question").await });
        let job = tokio::task::spawn_blocking(move || {
            let job = worker.job();
            worker.answer(job.key, ResultCode::Ok, "answer");
            job
        });
        assert_eq!(reply.await.expect("no panic"), Ok(Bytes::from("answer")));
        let job = job.await.expect("no panic");
        assert_eq!(
            (job.body, job.key.attempt, job.metadata),
            (Bytes::from("question"), 1, None)
        );
        assert!(
            (29_000..=30_000).contains(&job.budget_ms),
            "{} ms",
            job.budget_ms
        );
    })
    .await;
}

#[tokio::test]
async fn payloads_of_all_sizes_come_back_unchanged() {
    both_ways(async |bench| {
        let _echo = bench.echo(register()).await;
        for len in [0, 1, 1023, 1024, 1025, 8192, 65_536, 1 << 20, 16 << 20] {
            let body: Bytes = (0..len).map(|i| (i % 251) as u8).collect();
            let reply = bench.runner.execute(body.clone()).await;
            assert!(reply == Ok(body), "{len} bytes came back changed");
        }
    })
    .await;
}

#[tokio::test]
async fn a_payload_above_the_limit_is_refused_at_once() {
    let bench = Bench::with(|builder| builder.max_body(100));
    let reply = bench.runner.execute(vec![0; 101]).await;
    assert_eq!(
        reply,
        Err(ExecuteError::TooLarge {
            what: "payload",
            limit: 100
        })
    );
}

#[tokio::test]
async fn metadata_travels_beside_the_payload() {
    both_ways(async |bench| {
        let worker = bench.worker().await;
        let runner = bench.runner.clone();
        let reply =
            tokio::spawn(async move { runner.job("body").metadata("trace").execute().await });
        let metadata = tokio::task::spawn_blocking(move || {
            let job = worker.job();
            worker.answer(job.key, ResultCode::Ok, "");
            job.metadata
        });
        assert_eq!(reply.await.expect("no panic"), Ok(Bytes::new()));
        assert_eq!(
            metadata.await.expect("no panic"),
            Some(Bytes::from("trace"))
        );

        let too_large = bench
            .runner
            .job("body")
            .metadata(vec![0; 8193])
            .execute()
            .await;
        let what = "metadata";
        assert_eq!(too_large, Err(ExecuteError::TooLarge { what, limit: 8192 }));
    })
    .await;
}

#[tokio::test]
async fn a_job_goes_to_a_worker_of_its_service() {
    both_ways(async |bench| {
        let mut register = register();
        register.services = vec!["one".to_owned(), "two".to_owned()];
        let worker = bench.worker_with(register).await;
        let runner = bench.runner.clone();
        let reply = tokio::spawn(async move { runner.job("").service("two").execute().await });
        let service = tokio::task::spawn_blocking(move || {
            let job = worker.job();
            worker.answer(job.key, ResultCode::Failed, "no such luck");
            job.service
        });
        let message = Bytes::from("no such luck");
        assert_eq!(
            reply.await.expect("no panic"),
            Err(ExecuteError::Failed { message })
        );
        assert_eq!(service.await.expect("no panic"), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_concurrent_jobs_each_get_their_own_result() {
    both_ways(async |bench| {
        const JOBS: u32 = 10_000;
        let workers = [bench.echo(register()).await, bench.echo(register()).await];
        let mut jobs = JoinSet::new();
        for number in 0..JOBS {
            let runner = bench.runner.clone();
            jobs.spawn(async move {
                let body = Bytes::copy_from_slice(&number.to_be_bytes());
                assert_eq!(runner.execute(body.clone()).await, Ok(body));
            });
        }
        while let Some(job) = jobs.join_next().await {
            job.expect("the right result");
        }
        let stats = bench.runner.stats().await.counters;
        assert_eq!(
            (stats.submitted, stats.completed),
            (u64::from(JOBS), u64::from(JOBS))
        );
        bench.runner.shutdown(PATIENCE).await;
        // A worker that the machine holds up is relieved of jobs, some of which it has begun already.
        let done = workers.map(|worker| worker.join().expect("no panic"));
        assert!(done.iter().sum::<u64>() >= u64::from(JOBS), "{done:?}");
    })
    .await;
}

#[test]
fn callers_need_no_executor() {
    let runner = JobRunner::bind("tcp://127.0.0.1:*").expect("a free port");
    let mut worker = Bare::connect(&runner.endpoints()[0]);
    worker.register(register());
    let echo = std::thread::spawn(move || worker.echo());
    runner
        .wait_for_workers_blocking(1, PATIENCE)
        .expect("it registered");
    let replies = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8_u8)
            .map(|caller| {
                let runner = &runner;
                scope.spawn(move || runner.job(vec![caller; 3]).execute_blocking())
            })
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().expect("no panic"))
            .collect::<Vec<_>>()
    });
    let expected: Vec<_> = (0..8_u8)
        .map(|caller| Ok(Bytes::from(vec![caller; 3])))
        .collect();
    assert_eq!(replies, expected);
    runner.shutdown_blocking(PATIENCE);
    assert!(echo.join().expect("no panic") >= 8);
}

#[tokio::test]
async fn a_worker_that_is_slow_to_read_gets_every_job() {
    both_ways(async |bench| {
        // More messages than libzmq keeps for one connection, too large for the kernel to hide it.
        const JOBS: u16 = 1024;
        let mut register = register();
        register.slots = JOBS;
        let mut worker = bench.worker_with(register).await;
        let body = Bytes::from(vec![1; 100_000]);
        let mut jobs = JoinSet::new();
        for _ in 0..JOBS {
            let (runner, body) = (bench.runner.clone(), body.clone());
            jobs.spawn(async move { runner.execute(body).await.map(|reply| reply.len()) });
        }
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while bench.runner.stats().await.counters.dispatched < u64::from(JOBS) {
            assert!(
                tokio::time::Instant::now() < deadline,
                "not all were dispatched"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let echo = std::thread::spawn(move || worker.echo());
        while let Some(reply) = jobs.join_next().await {
            assert_eq!(reply.expect("no panic"), Ok(100_000));
        }
        bench.runner.shutdown(PATIENCE).await;
        assert!(echo.join().expect("no panic") >= u64::from(JOBS));
    })
    .await;
}
