use std::fs;
use std::process::Command;

use powerhose::{Output, SpawnError, Workers};
use rustix::process::getpgid;

use crate::support::{IDLE, LONG, is_reaped, line, lines, pid, running, shells, until};

#[test]
fn processes_get_their_arguments_and_environment_and_no_input() {
    let (output, mut said) = lines();
    let workers = shells(r#"read line || echo "$1, $GREETING, $HOME, no input"; exec sleep 1000"#)
        .args(["sh", "an argument"])
        .env("GREETING", "hello")
        .stdout(output)
        .start()
        .expect("sh runs");
    let home = std::env::var("HOME").unwrap_or_default();
    assert_eq!(
        line(&mut said),
        format!("an argument, hello, {home}, no input")
    );
    workers.stop_blocking(LONG);
}

#[test]
fn each_process_leads_a_group_of_its_own() {
    let workers = shells(IDLE).count(2).start().expect("sh runs");
    for id in workers.pids() {
        assert_eq!(getpgid(Some(pid(id))), Ok(pid(id)));
    }
    workers.stop_blocking(LONG);
}

#[test]
fn a_missing_program_is_named() {
    let error = Workers::builder("/no/such/program")
        .count(3)
        .start()
        .expect_err("it is missing");
    assert_eq!(
        error.to_string(),
        "cannot start the process /no/such/program: No such file or directory (os error 2)"
    );
    assert!(matches!(error, SpawnError::Program { program, .. } if program == "/no/such/program"));
}

#[test]
fn a_file_that_is_no_program_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let error = Workers::builder(file.path())
        .start()
        .expect_err("it may not be executed");
    assert!(
        error.to_string().contains(&*file.path().to_string_lossy()),
        "{error}"
    );
    assert!(error.to_string().contains("denied"), "{error}");
}

#[test]
fn a_group_may_begin_empty() {
    let workers = shells(IDLE).count(0).start().expect("nothing to start");
    assert!(workers.pids().is_empty());
    workers.set_count(1);
    running(&workers, 1);
    assert_eq!(workers.stop_blocking(LONG).stopped, 1);
}

#[test]
fn a_larger_count_adds_processes_and_a_smaller_one_stops_the_last() {
    let workers = shells(IDLE).count(2).start().expect("sh runs");
    let first = workers.pids();
    workers.set_count(4);
    let more = running(&workers, 4);
    assert_eq!(more[..2], first);
    workers.set_count(1);
    assert_eq!(running(&workers, 1), first[..1]);
    assert!(more[1..].iter().all(|&id| is_reaped(id)));
    workers.set_count(2);
    assert_eq!(running(&workers, 2)[0], first[0]);
    assert_eq!(workers.stop_blocking(LONG).stopped, 2);
}

#[test]
fn output_can_be_thrown_away_or_kept_in_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    let file = fs::File::options()
        .create(true)
        .append(true)
        .open(&path)
        .expect("a file");
    let workers = shells("echo kept >&2; echo lost; exec sleep 1000")
        .count(2)
        .stdout(Output::Null)
        .stderr(Output::To(file))
        .start()
        .expect("sh runs");
    until("both have written", || {
        fs::read_to_string(&path).is_ok_and(|log| log == "kept\nkept\n")
    });
    workers.stop_blocking(LONG);
}

#[test]
fn children_of_the_surrounding_program_are_left_to_it() {
    let workers = shells("exit 1")
        .start_retries(None)
        .count(2)
        .start()
        .expect("sh runs");
    let mut exits = workers.exits();
    for code in 0..20 {
        let mut own = Command::new("sh")
            .args(["-c", &format!("exit {code}")])
            .spawn()
            .expect("sh");
        assert!(exits.next_blocking().is_some());
        assert_eq!(
            own.wait().expect("nobody else waits for it").code(),
            Some(code)
        );
    }
    workers.stop_blocking(LONG);
}
