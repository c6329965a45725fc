use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::time::Duration;

use powerhose::{AfterExit, ExitCause, ProcessState, Workers};
use rustix::process::Signal;

use crate::support::{IDLE, LONG, is_reaped, line, lines, place_until, send, shells};

#[test]
fn a_killed_process_is_reaped_and_replaced() {
    let workers = shells(IDLE).count(2).start().expect("sh runs");
    let mut exits = workers.exits();
    let before = workers.pids();
    send(Signal::KILL, before[1]);

    let exit = exits.next_blocking().expect("the group lives");
    assert_eq!(
        (exit.place, exit.pid, exit.requested),
        (1, Some(before[1]), false)
    );
    assert_eq!(
        exit.cause,
        ExitCause::Signal {
            signal: 9,
            core_dumped: false
        }
    );
    assert!(matches!(exit.next, AfterExit::Restart { .. }));
    assert!(is_reaped(before[1]));

    let after = place_until(&workers, 1, |it| it.state == ProcessState::Running);
    assert_ne!(after.pid, Some(before[1]));
    assert_eq!((after.restarts, after.last_exit), (1, Some(exit.cause)));
    assert_eq!(workers.pids()[0], before[0]);
    workers.stop_blocking(LONG);
}

#[test]
fn a_process_that_exits_is_replaced_whatever_its_code() {
    for code in [0, 7] {
        let workers = shells(&format!("exit {code}"))
            .start_retries(None)
            .start()
            .expect("sh runs");
        let mut exits = workers.exits();
        for _ in 0..5 {
            let exit = exits.next_blocking().expect("the group lives");
            assert_eq!(exit.cause, ExitCause::Code(code));
            assert!(
                !workers.pids().iter().any(|&id| Some(id) == exit.pid),
                "still listed"
            );
        }
        assert!(workers.snapshot()[0].restarts >= 4);
    }
}

#[test]
fn a_process_that_keeps_dying_at_start_is_given_up_and_can_be_tried_again() {
    let workers = shells("exit 3")
        .start_retries(4)
        .stable_after(LONG)
        .start()
        .expect("sh runs");
    let given_up = place_until(&workers, 0, |it| it.state == ProcessState::GaveUp);
    assert_eq!(given_up.restarts, 4);
    assert_eq!(
        (given_up.pid, given_up.last_exit),
        (None, Some(ExitCause::Code(3)))
    );

    let mut exits = workers.exits();
    workers.restart(0);
    let outcomes: Vec<_> = std::iter::from_fn(|| exits.next_blocking())
        .map(|exit| exit.next)
        .take(5)
        .collect();
    assert!(
        outcomes[..4]
            .iter()
            .all(|next| matches!(next, AfterExit::Restart { .. }))
    );
    assert_eq!(outcomes[4], AfterExit::GaveUp);
    assert_eq!(workers.stop_blocking(LONG).stopped, 0);
}

#[test]
fn a_program_that_vanished_is_tried_again_and_given_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("sleep");
    let real = ["/bin/sleep", "/usr/bin/sleep"]
        .into_iter()
        .find(|it| std::path::Path::new(it).exists());
    symlink(real.expect("sleep"), &program).expect("a link");
    let workers = Workers::builder(&program)
        .arg("1000")
        .backoff(Duration::from_millis(1), Duration::from_millis(5))
        .start_retries(2)
        .start()
        .expect("sleep runs");
    std::fs::remove_file(&program).expect("it is there");
    send(Signal::KILL, workers.pids()[0]);
    let given_up = place_until(&workers, 0, |it| it.state == ProcessState::GaveUp);
    let Some(ExitCause::NotStarted { kind, .. }) = given_up.last_exit else {
        panic!("{given_up:?}");
    };
    assert_eq!(kind, ErrorKind::NotFound);
}

#[test]
fn a_restart_ends_one_process_and_starts_another_in_its_place() {
    let workers = shells(IDLE).count(2).start().expect("sh runs");
    let before = workers.pids();
    let mut exits = workers.exits();
    workers.restart(0);
    workers.restart(17);
    let exit = exits.next_blocking().expect("the group lives");
    assert_eq!((exit.pid, exit.requested), (Some(before[0]), true));
    assert_eq!(
        exit.next,
        AfterExit::Restart {
            after: Duration::ZERO
        }
    );
    place_until(&workers, 0, |it| it.pid.is_some_and(|id| id != before[0]));
    assert_eq!(workers.pids()[1], before[1]);
    workers.stop_blocking(LONG);
}

#[test]
fn helpers_of_a_dead_process_are_killed() {
    let (output, mut said) = lines();
    let workers = shells("sleep 1000 & echo $!; wait")
        .stdout(output)
        .start()
        .expect("sh runs");
    let helper: u32 = line(&mut said).parse().expect("a process id");
    assert!(!crate::support::has_ended(helper));
    send(Signal::KILL, workers.pids()[0]);
    crate::support::until("the helper has ended", || crate::support::has_ended(helper));
    workers.stop_blocking(LONG);
}

#[test]
fn a_subscriber_that_lags_loses_the_oldest_ends_and_knows_how_many() {
    let workers = shells("exit 1")
        .backoff(Duration::ZERO, Duration::ZERO)
        .start_retries(299)
        .stable_after(LONG)
        .start()
        .expect("sh runs");
    let mut exits = workers.exits();
    let mut early = workers.exits();
    assert!(early.next_blocking().is_some());
    place_until(&workers, 0, |it| it.state == ProcessState::GaveUp);
    workers.stop_blocking(LONG);
    let kept = std::iter::from_fn(|| exits.next_blocking()).count();
    assert_eq!(kept, 256);
    assert!((1..=44).contains(&exits.missed()), "{}", exits.missed());
}
