//! Masters and clients that come and go.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bytes::Bytes;
use powerhose::master::frontend::FrontendConfig;
use powerhose::{Client, ExecuteError, Report, Started};

use crate::support::{LONG, Place, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_under_way_when_the_master_is_lost_are_done_by_its_successor() {
    let place = Place::new();
    let master = place.master();
    let runs = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&runs);
    let gate = Arc::new(RwLock::new(()));
    let entrance = Arc::clone(&gate);
    let _worker = place.worker(4, move |job| {
        counter.fetch_add(1, Ordering::Relaxed);
        drop(entrance.read());
        Ok(job.body().clone())
    });
    let closed = gate.write();
    let client = place.client();
    let jobs: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.job("x").timeout(LONG).execute().await })
        })
        .collect();
    eventually("the jobs are started", || runs.load(Ordering::Relaxed) >= 4);
    let once = {
        let client = client.clone();
        tokio::spawn(async move { client.job("x").at_most_once().timeout(LONG).execute().await })
    };
    let frontend = place.frontend();
    eventually("the last job has arrived", || {
        Report::ask(&frontend, LONG).expect("a report").jobs == 5
    });
    master.shutdown_blocking(Duration::ZERO);
    drop(closed);
    let _master = place.master();
    for job in jobs {
        let outcome = job.await.expect("no panic");
        // A master that stops tells; one that is killed cannot.
        let started = Started::Maybe;
        assert!(
            outcome == Ok(Bytes::from("x"))
                || outcome == Err(ExecuteError::ShuttingDown { started }),
            "{outcome:?}"
        );
    }
    let outcome = once.await.expect("no panic");
    assert!(outcome.is_err(), "it must not be repeated: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_goes_to_the_next_master_and_comes_back() {
    let (first, second) = (Place::new(), Place::new());
    let _workers = [&first, &second].map(|place| {
        let name = Bytes::from(place.frontend());
        place.worker(1, move |_| Ok(name.clone()))
    });
    let _second = second.master();
    let client = Client::builder()
        .connect(first.frontend())
        .connect(second.frontend())
        .start()
        .expect("endpoints");
    let served = async |by: &Place| {
        let answer = client.job("x").timeout(LONG).execute().await;
        answer == Ok(Bytes::from(by.frontend()))
    };
    assert!(served(&second).await, "the first one is not there");
    let master = first.master();
    while !served(&first).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    master.shutdown_blocking(LONG);
    while !served(&second).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_drains_loses_nothing() {
    let place = Place::new();
    let master = place.master();
    let _worker = place.worker(2, |job| {
        std::thread::sleep(Duration::from_millis(2));
        Ok(job.body().clone())
    });
    let client = place.client();
    let jobs: Vec<_> = (0..100)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.job("x").timeout(LONG).execute().await })
        })
        .collect();
    let frontend = place.frontend();
    eventually("all jobs have arrived", || {
        let report = Report::ask(&frontend, LONG).expect("a report");
        report.counters["clients_submitted"] == 100
    });
    let report = tokio::task::spawn_blocking(move || master.shutdown_blocking(LONG));
    for job in jobs {
        assert_eq!(job.await.expect("no panic"), Ok(Bytes::from("x")));
    }
    assert_eq!(report.await.expect("no panic").aborted, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_takes_its_jobs_along() {
    let place = Place::new();
    let _master = place.master();
    let client = place.client();
    let job = client.job("x").timeout(LONG).execute();
    let _ = tokio::time::timeout(Duration::from_millis(1), job).await;
    let waiting = client.clone();
    let job = tokio::spawn(async move { waiting.job("y").timeout(LONG).execute().await });
    let frontend = place.frontend();
    eventually("the job is there", || {
        Report::ask(&frontend, LONG).expect("a report").jobs == 1
    });
    assert_eq!(client.close(Duration::ZERO).await.aborted, 1);
    let started = Started::Maybe;
    let outcome = job.await.expect("no panic");
    assert_eq!(outcome, Err(ExecuteError::ShuttingDown { started }));
    eventually("the master has forgotten it", || {
        let report = Report::ask(&frontend, LONG).expect("a report");
        report.jobs == 0 && report.clients.is_empty()
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_client_leaves_room_for_another() {
    let place = Place::new();
    let _master = place.master_with(FrontendConfig {
        max_client_jobs: 10,
        ..FrontendConfig::default()
    });
    let flooding = place.client();
    let jobs: Vec<_> = (0..100)
        .map(|_| {
            let client = flooding.clone();
            tokio::spawn(async move { client.job("x").timeout(LONG).execute().await })
        })
        .collect();
    let frontend = place.frontend();
    eventually("as many as allowed are there", || {
        Report::ask(&frontend, LONG).expect("a report").jobs == 10
    });
    let other = place.client();
    let other = tokio::spawn(async move { other.job("y").timeout(LONG).execute().await });
    eventually("the other's is there, too", || {
        Report::ask(&frontend, LONG).expect("a report").jobs == 11
    });
    let _worker = place.worker(1, |job| Ok(job.body().clone()));
    assert_eq!(other.await.expect("no panic"), Ok(Bytes::from("y")));
    for job in jobs {
        assert_eq!(job.await.expect("no panic"), Ok(Bytes::from("x")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_knows_which_master_it_has_and_counts_its_losses() {
    let place = Place::new();
    let elsewhere = Place::new();
    let client = Client::builder()
        .connect(place.frontend())
        .connect(elsewhere.frontend())
        .start()
        .expect("two endpoints");
    assert_eq!(client.endpoints(), [place.frontend(), elsewhere.frontend()]);
    assert_eq!((client.master(), client.masters_lost()), (None, 0));

    let second = elsewhere.master();
    client.master_reached().await.expect("it runs");
    assert_eq!(client.master(), Some(elsewhere.frontend().as_str()));
    second.shutdown_blocking(Duration::ZERO);
    eventually("the loss is known", || client.master().is_none());
    assert_eq!(client.masters_lost(), 1);

    let _first = place.master();
    client.master_reached().await.expect("it runs");
    assert_eq!(client.master(), Some(place.frontend().as_str()));
    client.close(LONG).await;
    assert_eq!(client.master(), None);
    assert!(
        client.master_reached().await.is_err(),
        "the client has ended"
    );
}

#[test]
fn settings_of_a_client_can_be_checked_without_starting_it() {
    let fine = Client::builder().connect("tcp://127.0.0.1:5556");
    assert!(fine.check().is_ok());
    let nowhere = Client::builder().check().expect_err("no master is named");
    assert_eq!(nowhere.code(), "no-endpoint");
    let open = Client::builder().connect("tcp://master.example:5556");
    let error = open.check().expect_err("without keys");
    assert!(error.to_string().contains("master.example"), "{error}");
    assert!(open.insecure(true).check().is_ok());
}
