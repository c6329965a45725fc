//! Two masters, given to clients in order.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{Place, powerhose, run, until};

#[test]
fn when_the_first_master_is_killed_the_second_does_the_rest() {
    let (first, second) = (Place::new(), Place::new());
    let master = first.master(&[]);
    let _second_master = second.master(&[]);
    let _workers = [first.worker(), second.worker()];
    let job = first.write("job", "x");
    let frontends = format!("{},{}", first.frontend(), second.frontend());
    let arguments = ["call", "--frontend", &frontends, "--repeat", "400"];
    let more = ["--concurrency", "8", "--timeout", "60s", "--json", &job];
    let client = (powerhose(arguments.into_iter().chain(more)))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    until("the first one works", || {
        (first.journal().len() >= 20).then_some(())
    });
    assert!(second.journal().is_empty(), "the order counts");
    master.kill();
    let output = client.wait_with_output().expect("it is ours");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(0), "{summary}");
    assert_eq!(
        (&summary["jobs"], &summary["errors"]),
        (&400.into(), &serde_json::json!({}))
    );
    let (before, after) = (first.journal().len(), second.journal().len());
    // What was under way at the loss, at most as many as at once, was started again.
    assert!(
        (400..=408).contains(&(before + after)),
        "{before} and {after}"
    );

    let _first_master = first.master(&[]);
    let arguments = ["call", "--frontend", &frontends, "--timeout", "60s", &job];
    until("the first one works again", || {
        assert_eq!(run(arguments).0, Some(0));
        (first.journal().len() > before).then_some(())
    });
}
