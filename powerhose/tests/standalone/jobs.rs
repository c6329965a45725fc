//! Jobs from clients to workers and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use powerhose::{Execute, ExecuteError, JobError, Report, Started};

use crate::support::{LONG, Place, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_jobs_at_once_come_back_each_to_its_own_caller() {
    const CLIENTS: usize = 3;
    const JOBS: usize = 4_000;
    let place = Place::new();
    let master = place.master();
    let all_are_there = Arc::new(AtomicBool::new(false));
    let _workers = [(); 2].map(|()| {
        let all_are_there = Arc::clone(&all_are_there);
        place.worker(2, move |job| {
            while !all_are_there.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
            Ok(job.body().clone())
        })
    });
    let mut tasks = Vec::new();
    for client in 0..CLIENTS {
        let connection = Arc::new(place.client());
        for number in 0..JOBS {
            let connection = Arc::clone(&connection);
            tasks.push(tokio::spawn(async move {
                let body = Bytes::from(format!("{client}/{number}"));
                let job = connection.job(body.clone()).timeout(LONG);
                assert_eq!(job.execute().await, Ok(body));
            }));
        }
    }
    let frontend = place.frontend();
    let jobs = move || Report::ask(&frontend, LONG).expect("a report").jobs;
    let all = CLIENTS * JOBS;
    let are_under_way = move || eventually("all of them are under way", || jobs() == all);
    let waited = tokio::task::spawn_blocking(are_under_way).await;
    all_are_there.store(true, Ordering::Relaxed);
    waited.expect("as many jobs");
    for task in tasks {
        task.await.expect("the right answer");
    }
    // A master makes a report now and then, and answers with the last one meanwhile.
    let frontend = place.frontend();
    let report = move || Report::ask(&frontend, LONG).expect("a report");
    let are_counted = move || {
        eventually("all of them are counted", || {
            let report = report();
            report.counters["completed"] == all as u64
                && report.jobs == 0
                && report.workers.len() == 2
        });
    };
    let counted = tokio::task::spawn_blocking(are_counted).await;
    counted.expect("a report of the end");
    drop(master);
}

#[tokio::test]
async fn a_job_without_workers_fails_with_their_service() {
    let place = Place::new();
    let _master = place.master();
    let client = place.client();
    client.master_reached().await.expect("a master");
    let job = client
        .job("x")
        .service("nobody")
        .timeout(Duration::from_millis(300));
    let service = "nobody".to_owned();
    assert_eq!(
        job.execute().await,
        Err(ExecuteError::NoWorkers { service })
    );
}

#[tokio::test]
async fn errors_of_handlers_reach_the_caller() {
    let place = Place::new();
    let _master = place.master();
    let _worker = place.worker(1, |_| Err(JobError::new("as told")));
    let failed = place.client().job("x").timeout(LONG).execute().await;
    let message = Bytes::from("as told");
    assert_eq!(failed, Err(ExecuteError::Failed { message }));
}

#[tokio::test]
async fn bodies_above_the_masters_limit_are_the_callers_fault() {
    let place = Place::new();
    let _master = place.master();
    let body = vec![0; powerhose::wire::limits::DEFAULT_MAX_BODY + 1];
    let refused = place.client().job(body).timeout(LONG).execute().await;
    assert!(matches!(
        refused,
        Err(ExecuteError::TooLarge {
            what: "payload",
            ..
        })
    ));
}

#[tokio::test]
async fn large_bodies_and_metadata_arrive_whole() {
    let place = Place::new();
    let _master = place.master();
    let _worker = place.worker(1, |job| {
        let metadata = job.metadata().cloned().unwrap_or_default();
        Ok([&job.body()[..], &metadata].concat().into())
    });
    let body = vec![7; 1 << 20];
    let client = place.client();
    let job = client.job(body.clone()).metadata("trace").timeout(LONG);
    let expected = [&body[..], b"trace"].concat();
    assert_eq!(job.execute().await, Ok(expected.into()));
}

#[tokio::test]
async fn without_a_master_a_job_waits_for_its_deadline() {
    let place = Place::new();
    let client = place.client();
    let lost = client
        .job("x")
        .timeout(Duration::from_millis(200))
        .execute()
        .await;
    let started = Started::No;
    assert_eq!(lost, Err(ExecuteError::MasterLost { started }));
}

#[tokio::test]
async fn a_job_handed_in_before_there_is_a_master_is_done() {
    let place = Place::new();
    let client = place.client();
    let job = client.job("x").timeout(LONG);
    let job = job.execute();
    tokio::pin!(job);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut job).await;
    assert!(early.is_err());
    let _master = place.master();
    let _worker = place.worker(1, |job| Ok(job.body().clone()));
    assert_eq!(job.await, Ok(Bytes::from("x")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_future_withdraws_the_job() {
    let place = Place::new();
    let _master = place.master();
    let _worker = place.worker(1, |job| {
        while !job.is_cancelled() {
            thread::sleep(Duration::from_millis(1));
        }
        Err(JobError::cancelled())
    });
    let client = place.client();
    client.master_reached().await.expect("a master");
    let job = client.job("x").timeout(LONG).execute();
    let _ = tokio::time::timeout(Duration::from_millis(300), job).await;
    let frontend = place.frontend();
    eventually("the job is withdrawn", || {
        let report = Report::ask(&frontend, LONG).expect("a report");
        report.jobs == 0 && report.counters["clients_withdrawn"] == 1
    });
}

#[tokio::test]
async fn a_service_can_be_switched_by_configuration() {
    let place = Place::new();
    let _master = place.master();
    let _worker = place.worker(1, |job| Ok(job.body().clone()));
    let jobs: Arc<dyn Execute> = Arc::new(place.client());
    let echoed = jobs.job("x".into()).timeout(LONG).execute().await;
    assert_eq!(echoed, Ok(Bytes::from("x")));
    assert_eq!(jobs.shutdown(LONG).await.aborted, 0);
    let late = jobs.job("x".into()).execute().await;
    let started = Started::No;
    assert_eq!(late, Err(ExecuteError::ShuttingDown { started }));
}
