//! The C++ SDK as its users build it: with CMake and with nothing but g++, against the system's libzmq.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use powerhose::JobRunner;
use rustix::process::Signal;
use tests::paths;
use tests::process::{PATIENCE, Process};

/// What has to be there.
const REMEDY: &str = "on Debian and Ubuntu `apt-get install g++ cmake pkg-config libzmq3-dev libssl-dev nlohmann-json3-dev`";

fn succeeds(command: &mut Command) -> String {
    let output = (command.output())
        .unwrap_or_else(|error| panic!("{command:?} does not start ({error}): {REMEDY}"));
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(
        output.status.success(),
        "{command:?} ended with {} ({REMEDY}):\n{said}",
        output.status
    );
    said
}

/// The program is a worker whose service gives this answer.
async fn works(program: &Path, service: &str, body: &'static str, answer: &str) {
    let place = tempfile::tempdir().expect("a directory");
    let endpoint = format!("ipc://{}", place.path().join("jobs").display());
    let runner = JobRunner::bind(&endpoint).expect("a free path");
    let mut worker = Process::start(Command::new(program).arg(&endpoint));
    let ready = runner.wait_for_workers(1, PATIENCE).await;
    assert!(ready.is_ok(), "{}", worker.output());
    let job = runner.job(body).service(service).timeout(PATIENCE);
    assert_eq!(job.execute().await, Ok(Bytes::from(answer.to_owned())));
    worker.signal(Signal::TERM);
    assert_eq!(worker.wait().code(), Some(0), "{}", worker.output());
}

/// Configures and builds a CMake project; warnings are faults.
fn build(source: &Path, build: &Path, prefix: &Path, options: &[&str]) {
    let define = |name: &str, value: &Path| format!("-D{name}={}", value.display());
    succeeds(
        Command::new("cmake")
            .arg("-S")
            .arg(source)
            .arg("-B")
            .arg(build)
            .args(["-DCMAKE_BUILD_TYPE=Release", "-Werror=dev"])
            .args(options)
            .arg("-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror")
            .arg(define("CMAKE_INSTALL_PREFIX", prefix))
            .arg(define("CMAKE_PREFIX_PATH", prefix)),
    );
    succeeds(Command::new("cmake").arg("--build").arg(build));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CMake and development packages of the system; .ci/run runs it"]
async fn cmake_builds_it_tests_it_and_installs_it_for_other_projects() {
    let folder = tempfile::tempdir().expect("a directory");
    let [sdk, prefix, shout] = ["sdk", "prefix", "shout"].map(|name| folder.path().join(name));
    let source = paths::repository().join("workers/cpp");
    build(&source, &sdk, &prefix, &["-DPOWERHOSE_CRYPTO_SAMPLE=ON"]);
    let tested = succeeds(
        Command::new("ctest")
            .arg("--output-on-failure")
            .current_dir(&sdk),
    );
    assert!(tested.contains("100% tests passed"), "{tested}");
    assert!(!tested.contains("No tests were found"), "{tested}");
    works(&sdk.join("square"), "square", "12", "144").await;

    succeeds(Command::new("cmake").arg("--install").arg(&sdk));
    assert!(sdk.join("crypto").exists());
    let source = paths::repository().join("tests/tests/cpp_build");
    build(&source, &shout, &prefix, &[]);
    works(&shout.join("shout"), "shout", "hey", "hey!").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs CMake and development packages of the system; .ci/run runs it"]
async fn the_command_in_its_readme_builds_a_sample() {
    let folder = tempfile::tempdir().expect("a directory");
    let workers = paths::repository().join("workers");
    let readme = std::fs::read_to_string(workers.join("cpp/README.md")).expect("it is there");
    let line = readme.lines().find(|line| line.starts_with("g++ "));
    let words: Vec<_> = line.expect("a command").split(' ').collect();
    symlink(workers, folder.path().join("workers")).expect("a link");
    succeeds(
        Command::new(words[0])
            .args(&words[1..])
            .current_dir(folder.path()),
    );
    works(&folder.path().join("square"), "square", "-12", "144").await;
}
