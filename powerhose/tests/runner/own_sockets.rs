use crate::support::{Bare, Bench, PATIENCE, register};

#[tokio::test]
async fn a_socket_outside_of_the_runtime_directory_is_not_connected_to() {
    let bench = Bench::new();
    let elsewhere = tempfile::tempdir().expect("a directory");
    let inside = bench.directory.path().display();
    for path in [
        elsewhere.path().join("worker").display().to_string(),
        format!("{inside}/../worker"),
        format!("{inside}-not/worker"),
    ] {
        let listener = std::os::unix::net::UnixListener::bind(elsewhere.path().join("worker"));
        let mut register = register();
        register.socket = Some(path.clone());
        let mut bare = Bare::connect(&bench.runner.endpoints()[0]);
        bare.register(register);
        let runner = bench.runner.clone();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !runner.workers().await.is_empty() {
            assert!(
                tokio::time::Instant::now() < deadline,
                "{path} was accepted"
            );
        }
        drop(listener);
    }
}
