use powerhose::security::{CurveClient, CurveServer};
use powerhose::{JobRunner, Worker};

use crate::support::keys;

const ANYWHERE: &str = "tcp://0.0.0.0:*";

#[test]
fn listening_beyond_this_machine_takes_keys_or_a_word() {
    let error = JobRunner::bind(ANYWHERE).expect_err("nothing protects it");
    assert_eq!(error.code(), "invalid-endpoint");
    assert!(error.to_string().contains("keygen"), "{error}");
    let encrypted = JobRunner::builder()
        .bind(ANYWHERE)
        .curve(CurveServer::new(keys()));
    assert!(encrypted.start().is_ok());
    let open = JobRunner::builder().bind(ANYWHERE).insecure(true);
    assert!(open.start().is_ok());
}

#[test]
fn connecting_to_another_machine_takes_keys_or_a_word() {
    let worker = || {
        let worker = Worker::builder().connect("tcp://master.example:5555");
        worker.handler(|job| Ok(job.into_body()))
    };
    let error = worker().build().expect_err("nothing protects it");
    assert!(error.to_string().contains("keygen"), "{error}");
    let curve = CurveClient::new(keys(), keys().public());
    assert!(worker().curve(curve).build().is_ok());
    assert!(worker().insecure(true).build().is_ok());
}

#[test]
fn settings_with_keys_show_no_secret() {
    let pair = keys();
    let public = pair.public().to_string();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("key");
    pair.save(&path, &path.with_extension("public"))
        .expect("files");
    let secret = std::fs::read_to_string(&path).expect("a file");
    let curve = CurveClient::new(pair, keys().public());
    let shown = format!("{curve:?} {:?}", Worker::builder().curve(curve.clone()));
    assert!(
        shown.contains(&public) && !shown.contains(secret.trim()),
        "{shown}"
    );
}
