use std::time::Duration;

use powerhose::exec::{CallError, Mode, Program, ProgramBuilder};
use powerhose::{Bytes, ExitCause};

use crate::support::{PATIENCE, PYTHON, pids, runs, until};

fn python() -> ProgramBuilder {
    Program::builder(["python3", "-c", PYTHON])
}

fn shell(script: &str) -> Program {
    let program = Program::builder(["sh", "-c", script]).mode(Mode::PerJob);
    program.start(1).expect("sh runs")
}

fn call(program: &Program, job: impl AsRef<[u8]>) -> Result<Bytes, CallError> {
    program.call(job.as_ref(), PATIENCE)
}

#[test]
fn one_process_answers_job_after_job() {
    let program = python().start(1).expect("python3 runs");
    let first = call(&program, "pid").expect("an answer");
    for job in [
        Bytes::from_static(b"a"),
        Bytes::new(),
        vec![b'x'; 5 << 20].into(),
    ] {
        let answer = call(&program, &job).expect("an answer");
        assert_eq!(answer, job.to_ascii_uppercase());
    }
    assert_eq!(call(&program, "pid").expect("an answer"), first);
}

#[test]
fn a_failure_is_told_and_the_process_goes_on() {
    let program = python().start(1).expect("python3 runs");
    let first = call(&program, "pid").expect("an answer");
    match call(&program, "fail") {
        Err(CallError::Failed { message }) => assert_eq!(message, "as asked"),
        other => panic!("{other:?}"),
    }
    assert_eq!(call(&program, "pid").expect("an answer"), first);
}

#[test]
fn a_process_that_dies_is_replaced_and_its_job_told_how() {
    let program = python().start(1).expect("python3 runs");
    for (job, expected) in [
        ("crash", "SIGABRT"),
        ("exit", "exit code 3"),
        ("exit", "exit code 3"),
    ] {
        match call(&program, job) {
            Err(CallError::Died { cause }) => {
                assert!(cause.to_string().contains(expected), "{cause}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(call(&program, "back").expect("an answer"), "BACK");
}

#[test]
fn a_program_that_dies_at_its_start_fails_its_jobs_and_nothing_else() {
    let program = Program::builder(["sh", "-c", "exit 7"])
        .start(1)
        .expect("sh runs");
    for _ in 0..3 {
        let died = call(&program, "a");
        assert!(
            matches!(
                died,
                Err(CallError::Died {
                    cause: ExitCause::Code(7)
                })
            ),
            "{died:?}"
        );
    }
}

#[test]
fn a_process_that_died_between_jobs_costs_none() {
    let program = python().start(1).expect("python3 runs");
    let pid = call(&program, "pid").expect("an answer");
    let pid: u32 = std::str::from_utf8(&pid)
        .expect("text")
        .parse()
        .expect("a number");
    let id = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a process id");
    rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it runs");
    until("its end", || (!runs(pid)).then_some(()));
    assert_eq!(call(&program, "a").expect("an answer"), "A");
}

#[test]
fn time_limits_end_the_process_and_its_children() {
    let directory = tempfile::tempdir().expect("a directory");
    let short = Duration::from_millis(300);
    for (name, job_timeout, timeout) in [("job", Some(short), PATIENCE), ("budget", None, short)] {
        let mut program = python();
        if let Some(timeout) = job_timeout {
            program = program.job_timeout(timeout);
        }
        let program = program.start(1).expect("python3 runs");
        // Python may take longer to start than the limit allows.
        until("an answer", || call(&program, "ready").ok());
        let path = directory.path().join(name);
        let outcome = program.call(format!("hang {}", path.display()).as_bytes(), timeout);
        match job_timeout {
            Some(_) => assert!(matches!(outcome, Err(CallError::Overrun)), "{outcome:?}"),
            None => assert!(matches!(outcome, Err(CallError::GivenUp)), "{outcome:?}"),
        }
        // A job that was ended before it had begun leaves no file, and nothing to look for.
        if path.exists() {
            for pid in pids(&path) {
                until("the end of the process group", || {
                    (!runs(pid)).then_some(())
                });
            }
        }
        until("an answer", || call(&program, "next").ok());
    }
}

#[test]
fn what_is_no_answer_is_named() {
    let program = python().start(1).expect("python3 runs");
    let error = call(&program, "print").expect_err("that is no answer");
    assert!(matches!(error, CallError::TooLarge { .. }), "{error:?}");
    assert!(error.to_string().contains("standard output"), "{error}");
    assert_eq!(call(&program, "a").expect("an answer"), "A");
}

#[test]
fn a_filter_of_the_shell_does_jobs() {
    let sort = shell("sort -r");
    assert_eq!(call(&sort, "a\nb\n").expect("an answer"), "b\na\n");
    assert_eq!(call(&sort, "").expect("an answer"), "");
    let deaf = shell("echo done");
    let large = vec![0; 1 << 20];
    assert_eq!(call(&deaf, large).expect("an answer"), "done\n");
    let failing = shell("echo first >&2; echo 'no such thing' >&2; exit 4");
    match call(&failing, "a") {
        Err(CallError::Failed { message }) => assert_eq!(message, "no such thing"),
        other => panic!("{other:?}"),
    }
    let killed = call(&shell("kill -9 $$"), "a");
    assert!(
        matches!(
            killed,
            Err(CallError::Died {
                cause: ExitCause::Signal { signal: 9, .. }
            })
        ),
        "{killed:?}"
    );
}

#[test]
fn closing_lets_processes_end_by_themselves() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("end");
    let script = format!("cat >/dev/null; echo bye > '{}'", file.display());
    let program = Program::builder(["sh", "-c", &script])
        .start(1)
        .expect("sh runs");
    program.close(PATIENCE);
    assert_eq!(
        std::fs::read_to_string(file).expect("it was written"),
        "bye\n"
    );
    assert!(matches!(call(&program, "a"), Err(CallError::GivenUp)));
}
