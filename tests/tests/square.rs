//! The first Powerhose example in three languages: each answers every input as the others do.

use std::process::Command;

use bytes::Bytes;
use powerhose::{ExecuteError, JobRunner};
use rustix::process::Signal;
use tests::process::{PATIENCE, Process};
use tests::{binaries, cpp, paths, python};

const NO_NUMBER: Result<&str, &str> = Err("not a whole number");
const TOO_LARGE: Result<&str, &str> = Err("the square is too large");

/// What is asked, and what every worker says to it.
const TABLE: [(&[u8], Result<&str, &str>); 26] = [
    (b"0", Ok("0")),
    (b"12", Ok("144")),
    (b"-12", Ok("144")),
    (b"-0", Ok("0")),
    (b"0012", Ok("144")),
    (b"00000000000000000000000000000012", Ok("144")),
    (b"3037000499", Ok("9223372030926249001")),
    (b"-3037000499", Ok("9223372030926249001")),
    (b"3037000500", TOO_LARGE),
    (b"-3037000500", TOO_LARGE),
    (b"4294967296", TOO_LARGE),
    (b"9223372036854775807", TOO_LARGE),
    (b"-9223372036854775808", TOO_LARGE),
    (b"9223372036854775808", TOO_LARGE),
    (b"100000000000000000000000000000000", TOO_LARGE),
    (b"100000000000000000000000000000000x", NO_NUMBER),
    (b"", NO_NUMBER),
    (b"-", NO_NUMBER),
    (b"--1", NO_NUMBER),
    (b"+1", NO_NUMBER),
    (b"12x", NO_NUMBER),
    (b" 12", NO_NUMBER),
    (b"12\n", NO_NUMBER),
    (b"1_000", NO_NUMBER),
    (b"1\x002", NO_NUMBER),
    // Digits, but Arabic ones, and what is no text at all.
    ("\u{661}".as_bytes(), NO_NUMBER),
];

#[tokio::test(flavor = "multi_thread")]
async fn square_is_the_same_in_rust_python_and_cpp() {
    let folder = tempfile::tempdir().expect("a directory");
    let mut script = python::command(&paths::repository().join("workers/python/samples/square.py"));
    script.env("PYTHONPATH", python::package());
    let source = "workers/cpp/samples/square.cpp";
    let workers = [
        ("powerhose/", Command::new(binaries::example("square"))),
        ("powerhose-python/", script),
        (
            "powerhose-cpp/",
            Command::new(cpp::compile(source, folder.path())),
        ),
    ];
    for (implementation, mut command) in workers {
        let endpoint = format!("ipc://{}", folder.path().join("jobs").display());
        let runner = JobRunner::bind(&endpoint).expect("a free path");
        let mut worker = Process::start(command.arg(&endpoint));
        let ready = runner.wait_for_workers(1, PATIENCE).await;
        assert!(ready.is_ok(), "{}", worker.output());
        let found = runner.workers().await;
        assert!(
            found[0].implementation.starts_with(implementation),
            "{found:?}"
        );

        // Longer than a frame's inline body, and than what Python reads as a number.
        let long = [&b"9".repeat(5000)[..], &b"0".repeat(100_000), b"\xff\xfe"];
        let answers = [TOO_LARGE, Ok("0"), NO_NUMBER];
        for (input, expected) in TABLE.into_iter().chain(long.into_iter().zip(answers)) {
            let job = runner
                .job(Bytes::copy_from_slice(input))
                .service("square")
                .timeout(PATIENCE);
            let shown = String::from_utf8_lossy(&input[..input.len().min(40)]);
            let answer = match job.execute().await {
                Ok(answer) => Ok(answer),
                Err(ExecuteError::Failed { message }) => Err(message),
                Err(other) => panic!("{implementation} {shown:?}: {other}"),
            };
            let expected = expected.map(Bytes::from).map_err(Bytes::from);
            assert_eq!(answer, expected, "{implementation} {shown:?}");
        }

        worker.signal(Signal::TERM);
        assert_eq!(worker.wait().code(), Some(0), "{}", worker.output());
        runner.shutdown(PATIENCE).await;
    }
}
