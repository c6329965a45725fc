//! A short run under faults: nothing is lost, nothing is doubled. `cargo run -p tests --release --bin chaos` has a long one.

use std::process::Command;

use tests::process::Process;

#[test]
fn nothing_is_lost_or_doubled_while_everything_fails() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    // How much is done and how soon deaths are noticed depends on the other tests, which run at the same time.
    command.args(["--seconds", "5", "--workers", "4", "--any-speed"]);
    let mut run = Process::start(&mut command);
    let status = run.wait();
    let said = run.output();
    assert!(status.success(), "{status}:\n{said}");
    let summary = said.lines().find_map(|line| {
        let summary: serde_json::Value = serde_json::from_str(line).ok()?;
        summary.is_object().then_some(summary)
    });
    let summary = summary.unwrap_or_else(|| panic!("there is no summary in:\n{said}"));
    // Without faults the run would have shown nothing.
    for what in ["kills", "stops", "service_restarts", "redispatched"] {
        assert!(summary[what].as_u64() > Some(0), "no {what}: {summary}");
    }
    assert!(summary["outcomes"]["ok"].as_u64() > Some(1000), "{summary}");
}
