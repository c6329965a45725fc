//! Scripts to run and ways to look at processes.

use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use powerhose::{Output, ProcessSnapshot, ProcessState, Workers, WorkersBuilder};
use rustix::process::{Pid, Signal};

/// Longer than anything here takes on the slowest machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Does nothing and ends when it is told to.
pub(crate) const IDLE: &str = "exec sleep 1000";

/// Says `ready` and is deaf to `SIGTERM` from then on.
pub(crate) const STUBBORN: &str = "trap '' TERM; echo ready; while :; do sleep 0.05; done";

/// Says `ready`, and `done` when it is told to end.
pub(crate) const TIDY: &str =
    "trap 'echo done; exit' TERM; echo ready; while :; do sleep 0.05; done";

/// A group of shells that run `script`, restarted without much ado.
pub(crate) fn shells(script: &str) -> WorkersBuilder {
    Workers::builder("sh")
        .args(["-c", script])
        .backoff(Duration::from_millis(1), Duration::from_millis(20))
        .grace(LONG)
}

/// An output and the lines that arrive there.
pub(crate) fn lines() -> (Output, BufReader<PipeReader>) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    (
        Output::To(File::from(OwnedFd::from(writer))),
        BufReader::new(reader),
    )
}

/// The next line, without its end.
pub(crate) fn line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    line.trim_end().to_owned()
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until the place looks as wanted, and returns how it looks.
pub(crate) fn place_until(
    workers: &Workers,
    place: usize,
    wanted: impl Fn(&ProcessSnapshot) -> bool,
) -> ProcessSnapshot {
    let mut found = None;
    until("a place looks as wanted", || {
        found = workers
            .snapshot()
            .into_iter()
            .find(|it| it.place == place && wanted(it));
        found.is_some()
    });
    found.expect("just seen")
}

/// Waits until the group has this many processes, all running.
pub(crate) fn running(workers: &Workers, count: usize) -> Vec<u32> {
    until("all processes run", || {
        let places = workers.snapshot();
        places.len() == count && places.iter().all(|it| it.state == ProcessState::Running)
    });
    workers.pids()
}

pub(crate) fn pid(number: u32) -> Pid {
    i32::try_from(number)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id")
}

pub(crate) fn send(signal: Signal, to: u32) {
    rustix::process::kill_process(pid(to), signal).expect("the process exists");
}

/// Whether the process has ended and been reaped. A zombie has not.
pub(crate) fn is_reaped(number: u32) -> bool {
    rustix::process::test_kill_process(pid(number)) == Err(rustix::io::Errno::SRCH)
}

/// Whether the process has ended; whoever inherited it may still have to reap it.
pub(crate) fn has_ended(number: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{number}/stat")) else {
        return is_reaped(number);
    };
    // The state follows the command, which is in parentheses and may contain anything.
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| rest.starts_with(['Z', 'X']))
}
