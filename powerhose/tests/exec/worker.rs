use std::process::{Child, Command, Stdio};

use powerhose::{ExecuteError, JobRunner};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::{PATIENCE, PYTHON, pids, runs, until};

struct Pool {
    runner: JobRunner,
    worker: Child,
    directory: TempDir,
}

impl Pool {
    fn start(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let runner = JobRunner::bind(format!("ipc://{}/jobs", directory.path().display()))
            .expect("it listens");
        let script = directory.path().join("worker.py");
        std::fs::write(&script, PYTHON).expect("a file");
        let worker = Command::new(env!("CARGO_BIN_EXE_powerhose"))
            .args(["worker", "--connect", &runner.endpoints()[0], "--exec"])
            .arg(format!("python3 '{}'", script.display()))
            .args(options)
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        Self {
            runner,
            worker,
            directory,
        }
    }

    fn execute(&self, job: &str) -> Result<powerhose::Bytes, ExecuteError> {
        let job = self.runner.job(job.to_owned()).timeout(PATIENCE);
        job.execute_blocking()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.worker), signal).expect("it runs");
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let _ = self.worker.kill();
        let _ = self.worker.wait();
    }
}

#[test]
fn crashes_and_time_limits_are_told_as_what_they_are() {
    let pool = Pool::start(&["--job-timeout", "5s"]);
    assert_eq!(pool.execute("hello").expect("an answer"), "HELLO");
    let failed = pool.execute("fail").expect_err("it fails");
    assert!(matches!(failed, ExecuteError::Failed { .. }), "{failed:?}");
    let crashed = pool.execute("crash").expect_err("it crashes");
    assert!(
        matches!(crashed, ExecuteError::Panicked { .. }),
        "{crashed:?}"
    );
    assert!(crashed.to_string().contains("SIGABRT"), "{crashed}");
    let file = pool.directory.path().join("pids");
    let overrun = pool.execute(&format!("hang {}", file.display()));
    assert_eq!(overrun.expect_err("it hangs"), ExecuteError::Overrun);
    for pid in pids(&file) {
        until("the end of the process group", || {
            (!runs(pid)).then_some(())
        });
    }
    assert_eq!(pool.execute("again").expect("an answer"), "AGAIN");
}

#[test]
fn several_slots_have_several_processes_and_services() {
    let pool = Pool::start(&["--slots", "2", "--service", "upper", "--service", "pids"]);
    let runner = &pool.runner;
    let ask = |service: &str, job: &str| {
        let job = runner.job(job.to_owned()).service(service.to_owned());
        job.timeout(PATIENCE).execute_blocking()
    };
    assert_eq!(ask("upper", "a").expect("an answer"), "A");
    let file = pool.directory.path().join("pids");
    let path = file.display().to_string();
    std::thread::scope(|scope| {
        let short = std::time::Duration::from_secs(20);
        let job = runner.job(format!("hang {path}")).service("upper");
        scope.spawn(move || job.timeout(short).execute_blocking());
        pids(&file);
        // The other process is free.
        assert_eq!(ask("pids", "b").expect("an answer"), "B");
        let hanging = pids(&file)[0].to_string();
        assert_ne!(ask("pids", "pid").expect("an answer"), hanging);
        for pid in pids(&file) {
            until("the end of what hangs", || (!runs(pid)).then_some(()));
        }
    });
}

#[test]
fn programs_do_not_outlive_the_worker_however_it_ends() {
    for signal in [Signal::TERM, Signal::KILL] {
        let mut pool = Pool::start(&[]);
        let pid = pool.execute("pid").expect("an answer");
        let pid = std::str::from_utf8(&pid)
            .expect("text")
            .parse()
            .expect("a number");
        assert!(runs(pid));
        pool.signal(signal);
        let status = pool.worker.wait().expect("our child");
        assert_eq!(status.success(), signal == Signal::TERM, "{status}");
        until("the program's end", || (!runs(pid)).then_some(()));
    }
}
