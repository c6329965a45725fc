use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use rustix::process::Signal;

use crate::support::{LONG, STUBBORN, has_ended, line, lines, send, shells, until};

/// Set in a copy of this program that plays the parent.
const PARENT: &str = "SUPERVISOR_TEST_PARENT";

#[test]
#[cfg(target_os = "linux")]
fn processes_die_with_a_killed_parent() {
    if env::var_os(PARENT).is_some() {
        be_a_parent();
    }
    let mut parent = Command::new(env::current_exe().expect("this program"))
        .args([
            "--exact",
            "parent::processes_die_with_a_killed_parent",
            "--nocapture",
        ])
        .env(PARENT, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program runs");
    let mut said = BufReader::new(parent.stdout.take().expect("a pipe")).lines();
    let ids: Vec<u32> = said
        .find_map(|line| Some(line.ok()?.split_once("processes: ")?.1.to_owned()))
        .expect("the parent tells of its processes")
        .split(' ')
        .map(|id| id.parse().expect("a process id"))
        .collect();
    assert_eq!(ids.len(), 3);
    for id in &ids {
        let input = fs::read_link(format!("/proc/{id}/fd/0")).expect("it has not ended");
        assert_eq!(
            input,
            Path::new("/dev/null"),
            "its parent's input leaked to it"
        );
    }

    parent.kill().expect("it runs");
    parent.wait().expect("it was killed");
    until("the processes have ended", || {
        ids.iter().all(|&id| has_ended(id))
    });
}

/// Starts processes that ignore `SIGTERM` and waits to be killed.
fn be_a_parent() -> ! {
    let (output, mut said) = lines();
    let workers = shells(STUBBORN)
        .count(3)
        .stdout(output)
        .start()
        .expect("sh runs");
    for _ in 0..3 {
        assert_eq!(line(&mut said), "ready");
    }
    let ids: Vec<_> = workers.pids().iter().map(u32::to_string).collect();
    println!("processes: {}", ids.join(" "));
    loop {
        thread::park();
    }
}

/// The parent-death signal follows the thread that forked, so the one that called `start` must not
/// be it.
#[test]
fn processes_outlive_the_thread_that_started_them() {
    let (output, mut said) = lines();
    let script = "trap 'echo alive' USR1; echo ready; while :; do sleep 0.05; done";
    let builder = shells(script).stdout(output);
    let workers = thread::spawn(|| builder.start().expect("sh runs"))
        .join()
        .expect("no panic");
    assert_eq!(line(&mut said), "ready");
    send(Signal::USR1, workers.pids()[0]);
    assert_eq!(line(&mut said), "alive");
    assert_eq!(workers.snapshot()[0].restarts, 0);
    workers.stop_blocking(LONG);
}
