//! A short run with three languages. `cargo run -p tests --release --bin mixed` has a long one.

use std::process::Command;

use tests::process::Process;

#[test]
fn workers_of_each_language_and_the_master_die_and_every_job_has_one_outcome() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mixed"));
    command.args(["--jobs", "4000", "--json"]);
    let mut run = Process::start(&mut command);
    let status = run.wait();
    let said = run.output();
    assert!(status.success(), "{status}:\n{said}");
    let summary = (said.lines())
        .find_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .unwrap_or_else(|| panic!("there is no summary in:\n{said}"));
    assert_eq!(summary["jobs"], 8000, "{summary}");
    assert_eq!(summary["kills"], 4, "{summary}");
    assert_eq!(summary["workers"].as_array().map(Vec::len), Some(6));
    let steady = &summary["parts"][0];
    assert_eq!(steady["outcomes"]["ok"], 4000, "{summary}");
    assert_eq!(steady["executions"], 4000, "{summary}");
}
