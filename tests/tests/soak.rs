//! A short soak. `cargo run -p tests --release --bin soak` has one that is long enough to judge memory.

use std::process::Command;

use tests::process::Process;

#[test]
fn workers_and_clients_come_and_go_and_leave_nothing_behind() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soak"));
    command.args(["--seconds", "8", "--any-memory"]);
    let mut run = Process::start(&mut command);
    let status = run.wait();
    let said = run.output();
    assert!(status.success(), "{status}:\n{said}");
}
