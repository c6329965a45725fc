//! `powerhose pool`: a master and its workers in one go, for a program that starts them and takes them along.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use powerhose::Report;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

use crate::support::{PATIENCE, Place, powerhose, run, until};

/// A pool that tells what happens. It is killed when this is dropped.
struct Pool {
    child: Child,
    events: BufReader<std::process::ChildStdout>,
}

impl Pool {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let events = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, events }
    }

    fn event(&mut self) -> Value {
        let mut line = String::new();
        self.events.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it has not been waited for");
    }

    fn wait(&mut self) -> Option<i32> {
        until("the end of the pool", || {
            self.child.try_wait().expect("it is ours")
        })
        .code()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command for a pool in the folder `run` whose workers run the script of [`Place`], each with an own slot.
fn pool(place: &Place, options: &[&str]) -> Command {
    let directory = place.argument("run");
    let mut command = powerhose(["--log", "warn", "pool", "--json", "--directory", &directory]);
    command.args(options).arg("--");
    command.arg(env!("CARGO_BIN_EXE_powerhose"));
    command.args(place.worker_options());
    command.args(["--connect", "{endpoint}"]);
    command
}

fn pids(ready: &Value) -> Vec<u32> {
    let workers = ready["workers"].as_array().expect("workers");
    let pid = |worker: &Value| worker.as_u64().and_then(|pid| u32::try_from(pid).ok());
    workers.iter().map(|it| pid(it).expect("a pid")).collect()
}

fn has_ended(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    test_kill_process(pid.expect("a process id")).is_err()
}

/// A job, sent in a thread of its own.
fn call(place: &Place, job: &str) -> JoinHandle<(Option<i32>, String, String)> {
    let frontend = format!("ipc://{}/frontend", place.argument("run"));
    let job = place.write("job", job);
    thread::spawn(move || run(["call", "--frontend", &frontend, &job]))
}

fn outcome(call: JoinHandle<(Option<i32>, String, String)>) -> (Option<i32>, String, String) {
    call.join().expect("no panic")
}

#[test]
fn it_serves_tells_replaces_and_drains() {
    let place = Place::new();
    let mut pool = Pool::start(&mut pool(&place, &["--workers", "2"]));
    let ready = pool.event();
    assert_eq!(ready["event"], "ready");
    let frontend = ready["frontend"].as_str().expect("an endpoint");
    let workers = pids(&ready);
    assert_eq!(workers.len(), 2);
    until("both workers register", || {
        let report = Report::ask(frontend, PATIENCE).expect("a report");
        (report.workers.len() == 2).then_some(())
    });
    let (code, answer, stderr) = outcome(call(&place, "hello"));
    assert_eq!((code, answer.as_str()), (Some(0), "hello"), "{stderr}");

    let victim = i32::try_from(workers[0]).ok().and_then(Pid::from_raw);
    kill_process(victim.expect("a process id"), Signal::KILL).expect("it runs");
    let ended = pool.event();
    assert_eq!(ended["event"], "worker-ended");
    assert_eq!(ended["pid"], workers[0]);
    assert_eq!(ended["cause"], "killed by SIGKILL");
    until("another one registers", || {
        let report = Report::ask(frontend, PATIENCE).expect("a report");
        let is_new = |pid| !workers.contains(&pid);
        (report.workers.iter().any(|it| is_new(it.pid))).then_some(())
    });

    // The job under way is finished.
    let waits = call(&place, "wait");
    place.is_started("wait");
    pool.signal(Signal::TERM);
    place.go();
    let (code, answer, stderr) = outcome(waits);
    assert_eq!((code, answer.as_str()), (Some(0), "wait"), "{stderr}");
    assert_eq!(pool.wait(), Some(0));
    assert!(has_ended(workers[1]));
    assert!(!place.path("run").exists(), "the directory is left");
}

#[test]
fn a_second_signal_does_not_wait_for_jobs() {
    let place = Place::new();
    let mut pool = Pool::start(&mut pool(&place, &["--grace", "1h"]));
    let workers = pids(&pool.event());
    let waits = call(&place, "wait");
    place.is_started("wait");
    pool.signal(Signal::TERM);
    let frontend = format!("ipc://{}/frontend", place.argument("run"));
    until("it drains", || {
        let report = Report::ask(&frontend, PATIENCE).ok()?;
        (report.phase != "running").then_some(())
    });
    pool.signal(Signal::TERM);
    assert_eq!(pool.wait(), Some(0));
    assert_ne!(outcome(waits).0, Some(0));
    assert!(has_ended(workers[0]));
}

#[test]
fn it_ends_with_the_process_that_started_it() {
    let place = Place::new();
    let pool = pool(&place, &["--parent", "$$"]);
    let words: Vec<_> = std::iter::once(pool.get_program())
        .chain(pool.get_args())
        .map(|word| word.to_str().expect("text"))
        .collect();
    // The shell starts it in the background and lives until it is killed.
    let script = words.iter().map(|word| match *word {
        "$$" => "$$".to_owned(),
        word => format!("'{word}'"),
    });
    let script = script.collect::<Vec<_>>().join(" ") + " & echo $!; wait";
    let mut shell = Pool::start(Command::new("sh").args(["-c", &script]));
    let mut pid = String::new();
    shell.events.read_line(&mut pid).expect("a line");
    let ready = shell.event();
    let mut all = pids(&ready);
    all.push(pid.trim().parse().expect("a process id"));
    assert!(!all.iter().any(|pid| has_ended(*pid)));
    shell.signal(Signal::KILL);
    shell.wait();
    until("all of them end", || {
        all.iter().all(|pid| is_gone(*pid)).then_some(())
    });
    until("the directory is gone", || {
        (!place.path("run").exists()).then_some(())
    });
}

/// Whether the process has ended; whoever inherited it may still have to reap it.
fn is_gone(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return has_ended(pid);
    };
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| rest.starts_with(['Z', 'X']))
}

#[test]
fn what_cannot_be_is_told_in_one_line() {
    let place = Place::new();
    let directory = place.argument("run");
    for (options, program, expected, why) in [
        (&["--parent", "1"][..], "true", 64, "--parent"),
        (&[], "no-such-program", 66, "no-such-program"),
        (&["--workers", "0"], "true", 64, "--workers"),
    ] {
        let (common, end) = (
            ["pool", "--json", "--directory", &directory],
            ["--", program],
        );
        let arguments = common.iter().chain(options).chain(&end);
        let (code, stdout, stderr) = run(arguments.copied());
        assert_eq!(code, Some(expected), "{stderr}");
        assert!(stderr.contains(why), "{stderr}");
        if program == "no-such-program" {
            let event: Value = serde_json::from_str(&stdout).expect("JSON");
            assert_eq!(event["event"], "failed");
            assert_eq!(event["code"], expected);
            assert!(event["message"].as_str().expect("text").contains(why));
            assert!(!place.path("run").exists(), "the directory is left");
        }
    }
}
