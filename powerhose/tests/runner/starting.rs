use std::os::unix::fs::PermissionsExt;

use powerhose::{ClaimError, JobRunner, StartError};

#[test]
fn a_second_runner_at_the_same_path_is_refused_by_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("jobs");
    let endpoint = format!("ipc://{}", path.display());
    let first = JobRunner::bind(&endpoint).expect("the path is free");
    let error = JobRunner::bind(&endpoint).expect_err("it is taken");
    assert_eq!((error.code(), error.exit_code()), ("in-use", 69));
    let message = error.to_string();
    assert!(message.contains(path.to_str().expect("text")), "{message}");
    assert!(
        message.contains(&format!("process {}", std::process::id())),
        "{message}"
    );
    first.shutdown_blocking(std::time::Duration::ZERO);
    JobRunner::bind(&endpoint).expect("it is free again");
}

#[test]
fn a_port_in_use_is_refused_by_name() {
    let first = JobRunner::bind("tcp://127.0.0.1:*").expect("a free port");
    let endpoint = &first.endpoints()[0];
    assert!(!endpoint.ends_with('*'), "{endpoint}");
    let error = JobRunner::bind(endpoint).expect_err("it is taken");
    assert_eq!((error.code(), error.exit_code()), ("in-use", 69));
    assert!(error.to_string().contains(endpoint), "{error}");
}

#[test]
fn either_all_endpoints_are_bound_or_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let good = format!("ipc://{}/good", directory.path().display());
    let missing = "ipc:///proc/powerhose/jobs";
    let error =
        (JobRunner::builder().bind(&good).bind(missing).start()).expect_err("no such place");
    assert!(
        matches!(error, StartError::Claim(ClaimError::Io { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("/proc/powerhose"), "{error}");
    JobRunner::bind(&good).expect("the first one was given back");
}

#[test]
fn an_unwritable_directory_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let closed = directory.path().join("closed");
    std::fs::create_dir(&closed).expect("writable");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).expect("ours");
    let result = JobRunner::bind(format!("ipc://{}/jobs", closed.display()));
    // Root may write anywhere.
    if let Err(error) = result {
        assert_eq!((error.code(), error.exit_code()), ("path-unusable", 77));
        assert!(error.to_string().contains("closed"), "{error}");
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let cases = [
        JobRunner::builder().start(),
        JobRunner::builder().bind("jobs").start(),
        JobRunner::builder()
            .bind("tcp://127.0.0.1:*")
            .max_queue_jobs(0)
            .start(),
        JobRunner::builder()
            .bind("tcp://127.0.0.1:*")
            .max_workers(0)
            .start(),
        JobRunner::builder()
            .bind("tcp://127.0.0.1:*")
            .heartbeat(std::time::Duration::ZERO, 3)
            .start(),
    ];
    let codes = cases.map(|case| case.expect_err("not valid").code());
    let expected = [
        "no-endpoint",
        "invalid-endpoint",
        "invalid-setting",
        "invalid-setting",
        "invalid-setting",
    ];
    assert_eq!(codes, expected);
}

#[test]
fn more_workers_than_files_may_be_opened_are_refused() {
    let runner = JobRunner::builder()
        .bind("tcp://127.0.0.1:*")
        .max_workers(usize::MAX);
    let error = runner.start().expect_err("no system has as many");
    assert_eq!(
        (error.code(), error.exit_code()),
        ("too-few-descriptors", 71)
    );
    assert!(error.to_string().contains("LimitNOFILE"), "{error}");
}
