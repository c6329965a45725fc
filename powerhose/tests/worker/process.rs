//! Signals, sent to a worker in a process of its own.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use powerhose::wire::{DisconnectReason, FromWorker, ResultCode};
use powerhose::{Exit, Worker};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Master, PATIENCE, SESSION, wait_until};

/// Says where the master is to the test below, which is a worker's process then.
const ENDPOINT: &str = "POWERHOSE_TEST_ENDPOINT";

/// What a job that is done in a moment carries.
const QUICK: &str = "quick";

#[test]
#[ignore = "the worker's process of the tests below, which start it"]
fn worker_process() {
    let endpoint = std::env::var(ENDPOINT).expect("started by another test");
    let worker = Worker::builder().connect(endpoint).handler(|job| {
        if job.body() == QUICK {
            std::thread::sleep(Duration::from_micros(100));
            return Ok(job.into_body());
        }
        // The job names a file that appears when it may end.
        let path = String::from_utf8(job.body().to_vec())?;
        println!("started");
        wait_until("the file is there", || {
            std::fs::exists(&path).is_ok_and(|there| there)
        });
        Ok(job.into_body())
    });
    let exit = worker.run().expect("no error");
    println!("{exit:?}");
    if std::env::var_os("STAY").is_some() {
        std::thread::sleep(PATIENCE * 2);
    }
    std::process::exit(exit.code().into());
}

struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Process {
    fn start(master: &Master, stay: bool) -> Self {
        let itself = std::env::current_exe().expect("a test program");
        let mut command = Command::new(itself);
        command
            .args([
                "--exact",
                "process::worker_process",
                "--ignored",
                "--nocapture",
            ])
            .env(ENDPOINT, master.endpoint())
            .stdout(Stdio::piped());
        if stay {
            command.env("STAY", "1");
        }
        let mut child = command.spawn().expect("it starts");
        let stdout = child.stdout.take().expect("piped");
        Self {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it lives");
    }

    /// Reads what the process prints up to this line.
    fn prints(&mut self, expected: &str) {
        // The test harness prints around it, and not always on a line of its own.
        let found =
            (self.lines.by_ref().map_while(Result::ok)).any(|line| line.ends_with(expected));
        assert!(found, "the process did not print {expected:?}");
    }

    fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("our child")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_signal_drains() {
    for signal in [Signal::TERM, Signal::INT] {
        let master = Master::new();
        let mut process = Process::start(&master, false);
        let (peer, register) = master.register();
        assert_eq!(register.pid, process.child.id());
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("end");
        let body = file.to_str().expect("text").to_owned();
        master.job_of(&peer, SESSION, 1, PATIENCE, body.clone().into());
        process.prints("started");
        master.job_of(&peer, SESSION, 2, PATIENCE, body.into());
        process.signal(signal);
        assert_eq!(master.receive().1, FromWorker::Drain { session: SESSION });
        assert_eq!(master.receive_result().1, ResultCode::Returned);
        if signal == Signal::TERM {
            // Controllers send it to a process and to its group: that must not cut anything off.
            process.signal(signal);
        }
        std::fs::write(&file, "").expect("a file");
        let (job, code, _) = master.receive_result();
        assert_eq!((job, code), (1, ResultCode::Ok));
        process.prints("Drained");
        assert_eq!(process.wait().code(), Some(0));
    }
}

#[test]
fn a_worker_that_always_has_a_next_job_hears_the_signal() {
    const AHEAD: u64 = 64;
    const ENOUGH: u64 = 20_000;
    let master = Master::new();
    let mut process = Process::start(&master, false);
    let (peer, _) = master.register();
    let mut sent = 0;
    let mut send = || {
        sent += 1;
        master.job(&peer, sent, QUICK);
    };
    (0..AHEAD).for_each(|_| send());
    let mut done = 0;
    loop {
        match master.receive().1 {
            FromWorker::Drain { .. } => break,
            FromWorker::Result { .. } => done += 1,
            other => panic!("{other:?}"),
        }
        if done == AHEAD {
            process.signal(Signal::TERM);
        }
        assert!(done < ENOUGH, "{done} jobs, and it does not drain");
        send();
    }
    // What it has not started comes back, and there is an end.
    while done < sent {
        match master.receive().1 {
            FromWorker::Result { .. } => done += 1,
            FromWorker::Disconnect { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    process.prints("Drained");
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn a_second_interrupt_ends_the_worker_at_once() {
    let master = Master::new();
    let mut process = Process::start(&master, false);
    let (peer, _) = master.register();
    master.job(&peer, 1, "/no/such/file");
    process.prints("started");
    process.signal(Signal::INT);
    assert_eq!(master.receive().1, FromWorker::Drain { session: SESSION });
    process.signal(Signal::INT);
    assert_eq!(
        master.receive().1,
        FromWorker::Disconnect {
            session: SESSION,
            reason: DisconnectReason::Shutdown
        }
    );
    process.prints("Stopped");
    assert_eq!(process.wait().code(), Some(i32::from(Exit::Stopped.code())));
}

#[test]
fn when_the_worker_has_left_the_signals_end_the_process_again() {
    let master = Master::new();
    let mut process = Process::start(&master, true);
    master.register();
    process.signal(Signal::TERM);
    process.prints("Drained");
    process.signal(Signal::TERM);
    assert_eq!(process.wait().signal(), Some(Signal::TERM.as_raw()));
}
