//! The Python package: its own tests, its types and its style, and its workers under a real master.

use std::env;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use powerhose::{ExecuteError, JobRunner};
use rustix::process::Signal;
use tempfile::TempDir;
use tests::binaries::binary;
use tests::process::{PATIENCE, Process};
use tests::python;

fn succeeds(command: &mut Command) {
    let output = (command.current_dir(python::package()).output()).expect("Python runs");
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn its_own_tests_pass() {
    // They start the `powerhose` program, and the crypto worker to compare the Python one with.
    let programs = binary("powerhose");
    let programs = programs.parent().expect("a program is in a folder");
    let others = env::var_os("PATH").unwrap_or_default();
    let path =
        env::join_paths(std::iter::once(programs.to_owned()).chain(env::split_paths(&others)));
    succeeds(
        python::module("pytest")
            .args(["-q", "-p", "no:cacheprovider"])
            .env_remove("POWERHOSE_BINARY")
            .env("PATH", path.expect("no colon in the name")),
    );
}

#[test]
fn its_types_hold() {
    let cache = tempfile::tempdir().expect("a directory");
    succeeds(python::module("mypy").arg("--cache-dir").arg(cache.path()));
}

#[test]
fn its_style_is_kept() {
    succeeds(python::module("ruff").args(["check", "--no-cache", "."]));
    succeeds(python::module("ruff").args(["format", "--no-cache", "--check", "."]));
}

/// Starts the package's square worker beside a master.
fn square_worker(place: &TempDir, options: &[&str]) -> Process {
    let mut command = python::module("powerhose");
    command
        .current_dir(python::package().join("samples"))
        .args(["square.square", "--service", "square", "--verbose"])
        .arg("--connect")
        .arg(endpoint(place))
        .args(options);
    Process::start(&mut command)
}

fn endpoint(place: &TempDir) -> String {
    format!("ipc://{}", place.path().join("jobs").display())
}

async fn square(runner: &JobRunner, number: u64) {
    let job = runner.job(number.to_string()).service("square");
    let answer = job.timeout(PATIENCE).execute().await;
    assert_eq!(answer, Ok(Bytes::from((number * number).to_string())));
}

async fn serves_a_real_master(options: &[&str]) {
    let place = tempfile::tempdir().expect("a directory");
    let runner = JobRunner::bind(endpoint(&place)).expect("a free path");
    let mut worker = square_worker(&place, options);
    let ready = runner.wait_for_workers(1, PATIENCE).await;
    assert!(ready.is_ok(), "{}", worker.output());
    let workers = runner.workers().await;
    assert_eq!(workers[0].pid, worker.id());
    assert!(workers[0].implementation.starts_with("powerhose-python/"));

    let jobs: Vec<_> = (0..1000)
        .map(|number| {
            let runner = runner.clone();
            tokio::spawn(async move { square(&runner, number).await })
        })
        .collect();
    for job in jobs {
        job.await.expect("a square");
    }
    let failure = runner.job("eleven").service("square").execute().await;
    let Err(ExecuteError::Failed { message }) = failure else {
        panic!("not the handler's failure: {failure:?}");
    };
    assert!(String::from_utf8_lossy(&message).contains("not a whole number"));

    // A master that ends is left, and its successor found.
    runner.shutdown(PATIENCE).await;
    let runner = JobRunner::bind(endpoint(&place)).expect("a free path");
    square(&runner, 12).await;

    worker.signal(Signal::TERM);
    assert_eq!(worker.wait().code(), Some(0), "{}", worker.output());
    let gone = async {
        while !runner.workers().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    (tokio::time::timeout(PATIENCE, gone).await).expect("the master has read its good-bye");
    assert_eq!(runner.stats().await.counters.workers_lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_worker_serves_a_real_master() {
    serves_a_real_master(&["--slots", "2"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_worker_serves_a_real_master_with_processes_for_slots() {
    serves_a_real_master(&["--slots", "2", "--processes"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_worker_serves_a_real_master_at_a_socket_of_its_own() {
    let place = tempfile::tempdir().expect("a directory");
    let own = format!("ipc://{}", place.path().join("own").display());
    let runner = JobRunner::bind(endpoint(&place)).expect("a free path");
    let mut worker = square_worker(&place, &["--bind", &own]);
    let ready = runner.wait_for_workers(1, PATIENCE).await;
    assert!(ready.is_ok(), "{}", worker.output());
    for number in 0..100 {
        square(&runner, number).await;
    }
    assert_eq!(runner.workers().await.len(), 1);
    worker.signal(Signal::TERM);
    assert_eq!(worker.wait().code(), Some(0), "{}", worker.output());
}
