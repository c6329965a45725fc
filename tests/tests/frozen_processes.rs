//! Processes that stand still for a while, as on a machine that is suspended, moved or short of memory.

#![forbid(unsafe_code)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use powerhose::{JobRunner, Worker};
use rustix::process::Signal;
use tests::process::{PATIENCE, Process};

/// Names the role of a copy of this program, and where the master listens.
const ROLE: &str = "FROZEN_PROCESSES_ROLE";
const ENDPOINT: &str = "FROZEN_PROCESSES_ENDPOINT";

/// The heartbeats of the service that is frozen. Whoever is continued after it has at least two seconds for it.
const HEARTBEAT: Duration = Duration::from_secs(1);
const MISSES: u32 = 3;

/// Starts this program anew in a role, as a run of the test of that name.
fn start(test: &str, role: &str, endpoint: &str) -> Process {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command
        .args(["--exact", test, "--nocapture"])
        .env(ROLE, role)
        .env(ENDPOINT, endpoint);
    Process::start(&mut command)
}

/// Plays the role that this process was started for, if it was.
fn play() {
    let Ok(role) = env::var(ROLE) else { return };
    let endpoint = env::var(ENDPOINT).expect("both are set");
    match &*role {
        "worker" => work(endpoint),
        "service" => serve(&endpoint),
        other => panic!("there is no role {other:?}"),
    }
}

/// A worker whose first attempts at a job last until the file is there that the job names. Results say who worked.
fn work(endpoint: String) -> ! {
    let worker = Worker::builder().connect(endpoint).handler(|job| {
        if job.attempt() == 1 {
            let file = PathBuf::from(std::str::from_utf8(job.body())?);
            println!("\nholding");
            until("the file is there", || file.exists());
        }
        Ok(std::process::id().to_string().into())
    });
    let exit = worker.run().expect("nothing is in its way");
    std::process::exit(exit.code().into());
}

/// A service with one job, for the file beside its socket. It says how its master fares until the job is done.
fn serve(endpoint: &str) -> ! {
    let runner = (JobRunner::builder().bind(endpoint))
        .heartbeat(HEARTBEAT, MISSES)
        .start()
        .expect("a free path");
    let executor = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("the system has threads");
    executor.block_on(async {
        (runner.wait_for_workers(2, PATIENCE).await).expect("the workers register");
        let file = file_of(endpoint);
        let job = runner.job(file.to_string_lossy().into_owned().into_bytes());
        let job = job.timeout(PATIENCE).execute();
        tokio::pin!(job);
        loop {
            let tick = Duration::from_millis(20);
            if let Ok(result) = tokio::time::timeout(tick, &mut job).await {
                let result = result.expect("a result");
                println!("\nresult {}", String::from_utf8_lossy(&result));
                break;
            }
            report(&runner).await;
        }
        report(&runner).await;
    });
    std::process::exit(0);
}

async fn report(runner: &JobRunner) {
    let counters = runner.stats().await.counters;
    println!(
        "\nstats {} {} {} {}",
        counters.pauses, counters.workers_silent, counters.workers_lost, counters.dispatched
    );
}

/// What a service says of its master.
#[derive(Debug, Clone, Copy)]
struct Told {
    pauses: u64,
    silent: u64,
    lost: u64,
    dispatched: u64,
}

impl Told {
    fn read(line: &str) -> Option<Self> {
        let mut numbers = line
            .strip_prefix("stats ")?
            .split(' ')
            .map_while(|number| number.parse().ok());
        Some(Self {
            pauses: numbers.next()?,
            silent: numbers.next()?,
            lost: numbers.next()?,
            dispatched: numbers.next()?,
        })
    }
}

fn file_of(endpoint: &str) -> PathBuf {
    let socket = endpoint.strip_prefix("ipc://").expect("an ipc endpoint");
    Path::new(socket).with_extension("go")
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn holding(line: &str) -> Option<()> {
    (line == "holding").then_some(())
}

/// Suspends a whole machine, as it were: the service, an idle worker and a busy one.
#[test]
fn nobody_is_given_up_for_the_time_in_which_everything_stood_still() {
    play();
    const NAME: &str = "nobody_is_given_up_for_the_time_in_which_everything_stood_still";
    let directory = tempfile::tempdir().expect("a directory");
    let endpoint = format!("ipc://{}/jobs", directory.path().display());
    let mut service = start(NAME, "service", &endpoint);
    let workers = [0, 1].map(|_| start(NAME, "worker", &endpoint));
    let told = |service: &mut Process, what, is_it: fn(&Told) -> bool| {
        service.expect(what, |line| Told::read(line).filter(is_it))
    };
    told(&mut service, "a job under way", |told| told.dispatched == 1);

    service.signal(Signal::STOP);
    workers
        .iter()
        .for_each(|worker| worker.signal(Signal::STOP));
    thread::sleep(HEARTBEAT * (MISSES + 1));
    // The master finds everybody silent for longer than it has patience, and nobody can speak up yet.
    service.signal(Signal::CONT);
    let noticed = told(&mut service, "a pause", |told| told.pauses > 0);
    workers
        .iter()
        .for_each(|worker| worker.signal(Signal::CONT));
    assert_eq!(noticed.silent, 0, "{noticed:?}");

    fs::write(file_of(&endpoint), "").expect("a file");
    service.expect("the job's result", |line| {
        line.strip_prefix("result ").map(|_| ())
    });
    let after = told(&mut service, "the last word", |_| true);
    assert_eq!(after.silent, 0, "{after:?}");
    // A connection that waited for an answer of ZMTP's own just then is one that libzmq closes.
    assert_eq!(after.dispatched, 1 + after.lost.min(1), "{after:?}");
    assert!(service.wait().success(), "{}", service.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stands_still_with_a_job_is_noticed_by_its_connection() {
    play();
    const NAME: &str = "a_worker_that_stands_still_with_a_job_is_noticed_by_its_connection";
    let directory = tempfile::tempdir().expect("a directory");
    let endpoint = format!("ipc://{}/jobs", directory.path().display());
    let runner = (JobRunner::builder().bind(&endpoint))
        .heartbeat(Duration::from_millis(200), 5)
        .start()
        .expect("a free path");
    let mut held = start(NAME, "worker", &endpoint);
    (runner.wait_for_workers(1, PATIENCE).await).expect("it registers");
    let job = tokio::spawn({
        let runner = runner.clone();
        let file = file_of(&endpoint).to_string_lossy().into_owned();
        // Neither the deadline nor an attempt timeout helps in time.
        async move {
            runner
                .job(file.into_bytes())
                .timeout(10 * PATIENCE)
                .execute()
                .await
        }
    });
    held.expect("the job", holding);
    held.signal(Signal::STOP);

    let other = start(NAME, "worker", &endpoint);
    let result = tokio::time::timeout(PATIENCE, job).await;
    let result = result
        .expect("the other one gets the job")
        .expect("no panic");
    assert_eq!(result, Ok(Bytes::from(other.id().to_string())));
    let counters = runner.stats().await.counters;
    assert_eq!((counters.workers_lost, counters.dispatched), (1, 2));

    // It comes back with a result that nobody wants, and is welcome.
    fs::write(file_of(&endpoint), "").expect("a file");
    held.signal(Signal::CONT);
    (runner.wait_for_workers(2, PATIENCE).await).expect("it registers again");
    let again = runner.job(
        file_of(&endpoint)
            .to_string_lossy()
            .into_owned()
            .into_bytes(),
    );
    again.timeout(PATIENCE).execute().await.expect("a result");
    let counters = runner.stats().await.counters;
    assert_eq!((counters.completed, counters.failed), (2, 0));
}
