use powerhose::security::{AllowList, CurveClient, CurveServer};
use powerhose::{Exit, JobRunner, Worker};

use crate::support::{PATIENCE, Pool, keys, refused};

#[test]
fn a_plaintext_worker_is_refused() {
    let pool = Pool::start(AllowList::default());
    pool.refuses(pool.worker());
}

#[test]
fn a_worker_with_another_masters_key_is_refused() {
    let pool = Pool::start(AllowList::default());
    let worker = keys();
    let other_master = keys().public();
    pool.refuses(pool.worker().curve(CurveClient::new(worker, other_master)));
}

#[test]
fn a_worker_that_is_on_no_list_is_refused() {
    let pool = Pool::start(AllowList::default());
    let curve = CurveClient::new(keys(), pool.server);
    pool.refuses(pool.worker().curve(curve));
}

#[test]
fn a_key_on_the_list_of_clients_makes_no_worker() {
    let client = keys();
    let pool = Pool::start(AllowList::keys([client.public()]));
    let curve = CurveClient::new(client, pool.server);
    pool.refuses(pool.worker().curve(curve));
}

#[test]
fn a_list_in_a_file_is_followed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("workers");
    std::fs::write(&path, "").expect("a file");
    let (server, worker) = (keys(), keys());
    let public = server.public();
    let list = AllowList::file(&path).expect("a list");
    let runner = JobRunner::builder()
        .bind("tcp://127.0.0.1:*")
        .curve(CurveServer::new(server).workers(list))
        .start()
        .expect("it listens");
    let listed = worker.public();
    let worker = Worker::builder()
        .connect(&runner.endpoints()[0])
        .curve(CurveClient::new(worker, public))
        .handle_signals(false)
        .reconnect_limit(PATIENCE)
        .handler(|job| Ok(job.into_body()))
        .build()
        .expect("a worker");
    let stopper = worker.stopper();
    let thread = std::thread::spawn(|| worker.run().expect("it runs"));
    let mut waited = 0;
    while refused(&runner) == 0 {
        assert!(waited < 6000, "nobody was refused");
        std::thread::sleep(std::time::Duration::from_millis(10));
        waited += 1;
    }
    std::fs::write(&path, format!("{listed} the one\n")).expect("a file");
    let job = runner.job("now").timeout(PATIENCE);
    assert_eq!(job.execute_blocking().expect("an answer"), "now");
    stopper.drain();
    assert_eq!(thread.join().expect("no panic"), Exit::Drained);
}

#[test]
fn on_ipc_the_file_system_decides_also_beside_encrypted_tcp() {
    let directory = tempfile::tempdir().expect("a directory");
    // In both orders: what holds for tcp must not spill over.
    let ipc = |name| format!("ipc://{}/{name}", directory.path().display());
    for (endpoints, at) in [
        ([ipc("a"), "tcp://127.0.0.1:*".to_owned()], 0),
        (["tcp://127.0.0.1:*".to_owned(), ipc("b")], 1),
    ] {
        let runner = (endpoints.iter())
            .fold(JobRunner::builder(), |runner, endpoint| {
                runner.bind(endpoint)
            })
            .curve(CurveServer::new(keys()))
            .start()
            .expect("it listens");
        let bound = runner.endpoints();
        assert!(bound[at].starts_with("ipc://") && bound[1 - at].starts_with("tcp://127"));
        let worker = Worker::builder()
            .connect(&bound[at])
            .handle_signals(false)
            .handler(|job| Ok(job.into_body()))
            .build()
            .expect("a worker");
        let stopper = worker.stopper();
        let thread = std::thread::spawn(|| worker.run().expect("it runs"));
        let job = runner.job("hello").timeout(PATIENCE);
        assert_eq!(job.execute_blocking().expect("an answer"), "hello");
        stopper.drain();
        assert_eq!(thread.join().expect("no panic"), Exit::Drained);
    }
}
