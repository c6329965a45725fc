//! A small crowd. `cargo run -p tests --release --bin crowd` has thousands.

use std::process::Command;

use tests::process::Process;

#[test]
fn a_part_of_the_workers_dies_at_once_and_no_job_is_lost() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crowd"));
    command.args(["--workers", "200", "--seconds", "4", "--rate", "250"]);
    let mut run = Process::start(&mut command);
    let status = run.wait();
    let said = run.output();
    assert!(status.success(), "{status}:\n{said}");
    let summary = (said.lines())
        .find_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .unwrap_or_else(|| panic!("there is no summary in:\n{said}"));
    assert_eq!(summary["killed"], 50, "{summary}");
    assert_eq!(summary["jobs"]["ok"], 1000, "{summary}");
}
