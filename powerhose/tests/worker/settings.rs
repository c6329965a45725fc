//! What a builder refuses, and in which words.

use powerhose::{ClaimError, EndpointError, Worker, WorkerBuilder, WorkerError};

use crate::support::{echo, run, wait_until};

fn valid() -> WorkerBuilder {
    Worker::builder().connect("ipc:///tmp/x").handler(echo)
}

#[test]
fn the_smallest_description_is_enough() {
    valid().build().expect("valid settings");
}

#[test]
fn a_wrong_setting_is_named() {
    let many = (0..65).fold(valid(), |builder, n| builder.service(n.to_string()));
    let cases = [
        (Worker::builder().handler(echo), "connect"),
        (Worker::builder().connect("ipc:///tmp/x"), "handler"),
        (valid().slots(0), "slots"),
        (valid().slots(1025), "slots"),
        (valid().max_jobs(0), "max_jobs"),
        (valid().service("with space"), "service"),
        (valid().service("x".repeat(65)), "service"),
        (valid().service("twice").service("twice"), "service"),
        (many, "service"),
        (valid().bind("tcp://127.0.0.1:*"), "bind"),
    ];
    for (builder, named) in cases {
        match builder.build() {
            Err(error @ WorkerError::Setting { setting, .. }) => {
                assert_eq!(setting, named);
                assert!(error.to_string().contains(named));
                assert_eq!(error.code(), 78);
            }
            other => panic!("{named} was accepted: {other:?}"),
        }
    }
}

#[test]
fn an_endpoint_that_is_none_is_refused() {
    let error = valid().connect("http://example.com").build();
    let error = error.expect_err("no endpoint");
    assert!(matches!(
        error,
        WorkerError::Endpoint(EndpointError::Scheme { .. })
    ));
    assert_eq!(error.code(), 78);
}

#[test]
fn the_path_of_its_own_socket_is_the_workers_alone_while_it_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("own");
    let worker = || {
        Worker::builder()
            .connect(format!("ipc://{}/nobody", directory.path().display()))
            .bind(format!("ipc://{}", path.display()))
            .handle_signals(false)
            .handler(echo)
    };
    let first = run(worker());
    wait_until("the first one listens", || path.exists());
    let error = worker().run().expect_err("the path is taken");
    assert!(matches!(
        error,
        WorkerError::Claim(ClaimError::InUse { .. })
    ));
    assert_eq!(error.code(), 73);
    first.stopper.drain();
    first.exit();
    assert!(!path.exists());
}
